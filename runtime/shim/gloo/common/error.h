// Nothing of it is used; the torch wheel lacks the real header.
#pragma once
