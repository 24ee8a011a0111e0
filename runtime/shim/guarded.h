// Turns what C++ throws into a message for the caller.
#pragma once
#include <c10/util/Exception.h>

#include <cstring>
#include <exception>

template <typename Body>
char* guarded(Body body) {
  try {
    body();
    return nullptr;
  } catch (const c10::Error& error) {
    return strdup(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}
