// Kernels of our own, compiled for the GPU at hand when they are first asked for: by NVRTC, which libtorch brings along, and looked
// up by name like all that is a vendor's.
#include "shim.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <dlfcn.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "guarded.h"

namespace {

using Program = void*;
using Module = void*;
using Function = void*;

template <typename F>
void find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(library ? dlsym(library, name) : nullptr);
  if (!function) throw std::runtime_error(std::string("there is no ") + name);
}

// From nvrtc.h.
struct Compiler {
  int (*version)(int* major, int* minor);
  int (*create)(Program*, const char* source, const char* name, int headers, const char* const*, const char* const*);
  int (*compile)(Program, int count, const char* const* options);
  int (*log_size)(Program, size_t*);
  int (*log)(Program, char*);
  int (*code_size)(Program, size_t*);
  int (*code)(Program, char*);
  int (*destroy)(Program*);

  Compiler() {
    void* library = dlopen("libcaffe2_nvrtc.so", RTLD_NOW | RTLD_GLOBAL);
    if (!library) throw std::runtime_error(dlerror());
    find(library, "nvrtcVersion", version);
    find(library, "nvrtcCreateProgram", create);
    find(library, "nvrtcCompileProgram", compile);
    find(library, "nvrtcGetProgramLogSize", log_size);
    find(library, "nvrtcGetProgramLog", log);
    find(library, "nvrtcGetCUBINSize", code_size);
    find(library, "nvrtcGetCUBIN", code);
    find(library, "nvrtcDestroyProgram", destroy);
    // It looks for its second library by name alone, and so finds it only if somebody has opened it.
    Dl_info own;
    int major = 0, minor = 0;
    if (dladdr(reinterpret_cast<void*>(version), &own) && version(&major, &minor) == 0) {
      std::string path = own.dli_fname;
      path.resize(path.rfind('/') + 1);
      path += "libnvrtc-builtins.so." + std::to_string(major) + "." + std::to_string(minor);
      dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    }
  }
};

// From cuda.h.
struct Driver {
  int (*device)(int*);
  int (*attribute)(int* value, int attribute, int device);
  int (*load)(Module*, const void* code);
  int (*function)(Function*, Module, const char* name);
  int (*launch)(Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned shared, void* stream, void** arguments,
                void** extra);

  Driver() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW);
    find(library, "cuCtxGetDevice", device);
    find(library, "cuDeviceGetAttribute", attribute);
    find(library, "cuModuleLoadData", load);
    find(library, "cuModuleGetFunction", function);
    find(library, "cuLaunchKernel", launch);
  }
};

constexpr int MAJOR = 75, MINOR = 76;

const Driver& driver() {
  static const Driver functions;
  return functions;
}

void checked(int result, const char* what) {
  if (result != 0) throw std::runtime_error(std::string(what) + " fails with code " + std::to_string(result));
}

// A program's code for an architecture such as `sm_90`.
std::vector<char> compiled(const char* source, const std::vector<std::string>& options) {
  static const Compiler compiler;
  Program program = nullptr;
  checked(compiler.create(&program, source, "kernel.cu", 0, nullptr, nullptr), "nvrtcCreateProgram");
  std::vector<const char*> words;
  for (const std::string& option : options) words.push_back(option.c_str());
  const int result = compiler.compile(program, static_cast<int>(words.size()), words.data());
  size_t size = 0;
  std::vector<char> text;
  if (result == 0) {
    compiler.code_size(program, &size);
    text.resize(size);
    compiler.code(program, text.data());
  } else {
    compiler.log_size(program, &size);
    text.resize(size + 1);
    compiler.log(program, text.data());
  }
  compiler.destroy(&program);
  if (result != 0) throw std::runtime_error("a kernel can't be compiled: " + std::string(text.data()));
  return text;
}

}  // namespace

char* mmc_kernel_new(const char* source, const char* name, int threads, void** kernel) {
  return guarded([&] {
    int device = 0, major = 0, minor = 0;
    checked(driver().device(&device), "cuCtxGetDevice");
    checked(driver().attribute(&major, MAJOR, device), "cuDeviceGetAttribute");
    checked(driver().attribute(&minor, MINOR, device), "cuDeviceGetAttribute");
    const auto code = compiled(source, {"--gpu-architecture=sm_" + std::to_string(10 * major + minor),
                                        "-DTHREADS=" + std::to_string(threads)});
    // Both live as long as the process does.
    Module module = nullptr;
    checked(driver().load(&module, code.data()), "cuModuleLoadData");
    checked(driver().function(kernel, module, name), "cuModuleGetFunction");
  });
}

char* mmc_kernel_run(void* kernel, int number, int64_t blocks, int threads, void** arguments) {
  return guarded([&] {
    const c10::Device device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(number));
    c10::DeviceGuard guard(device);
    const c10::impl::VirtualGuardImpl libtorch(c10::DeviceType::CUDA);
    void* stream = libtorch.getStreamNativeHandle(libtorch.getStream(device));
    checked(driver().launch(kernel, static_cast<unsigned>(blocks), 1, 1, static_cast<unsigned>(threads), 1, 1, 0, stream, arguments,
                            nullptr),
            "cuLaunchKernel");
  });
}
