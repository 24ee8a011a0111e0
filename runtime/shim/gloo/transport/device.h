// The part of gloo that c10d's headers name; the torch wheel exports the symbols and lacks the headers.
#pragma once
namespace gloo { namespace transport { class Device; class UnboundBuffer { public: virtual ~UnboundBuffer() = 0; }; } }
