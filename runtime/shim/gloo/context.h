// The part of gloo that c10d's headers name; the torch wheel exports the symbols and lacks the headers.
#pragma once
#include <chrono>
namespace gloo { class Context { public: void setTimeout(std::chrono::milliseconds timeout); }; }
