//! Compiles the shim against libtorch's headers and tells the loader where libtorch lies.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=LIBTORCH_USE_PYTORCH");
    println!("cargo:rerun-if-changed=shim");
    let torch = libtorch();
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .files([
            "shim/shim.cpp",
            "shim/attention.cpp",
            "shim/backward.cpp",
            "shim/board.cpp",
            "shim/dropout.cpp",
            "shim/update.cpp",
            "shim/gpu.cpp",
            "shim/kernel.cpp",
            "shim/profile.cpp",
        ])
        .include("shim")
        .include(torch.join("include"))
        .include(torch.join("include/torch/csrc/api/include"))
        .compile("mmc_shim");
    let lib = torch.join("lib");
    println!("cargo:rustc-link-search=native={}", lib.display());
    println!("cargo:rustc-link-lib=torch_cpu");
    println!("cargo:rustc-link-lib=c10");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
}

/// The folder with `lib` and `include`, from the same two variables that torch-sys reads.
fn libtorch() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("LIBTORCH") {
        return folder.into();
    }
    assert!(
        set("LIBTORCH_USE_PYTORCH").is_some(),
        "libtorch is not known: build with `cargo xtask worker`, or set LIBTORCH or LIBTORCH_USE_PYTORCH=1"
    );
    let question = "import os, torch; print(os.path.dirname(torch.__file__))";
    let answer = Command::new("python3").args(["-c", question]).output();
    let folder = answer.expect("LIBTORCH_USE_PYTORCH=1 needs python3 with torch in PATH").stdout;
    PathBuf::from(String::from_utf8_lossy(&folder).trim())
}
