//! libtorch 2.11.0 for this machine, fetched once per user into a cache shared by all checkouts.
//!
//! The torch wheel of the Python package index holds libtorch. Each wheel is kept only after its checksum fits; the folder gets
//! its final name only when it is complete, so that a set-up which was cut off goes on where it stopped.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::{Fault, While};
use crate::tools::{free_bytes, need, output, run};

const VERSION: &str = "2.11.0";

/// Room for the wheels and what they unpack to.
const NEEDED_BYTES: u64 = 2_600_000_000;

/// A wheel and the checksum of the file for Python 3.11 on x86-64 Linux. libtorch itself is the same in the wheels of all Pythons.
struct Wheel {
    requirement: &'static str,
    stem: &'static str,
    sha256: &'static str,
}

/// `libtorch_cpu.so` of this build needs the two small NVIDIA libraries even where there is no GPU.
const WHEELS: [Wheel; 3] = [
    Wheel {
        requirement: "torch==2.11.0",
        stem: "torch-",
        sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
    },
    Wheel {
        requirement: "nvidia-cuda-runtime==13.0.96",
        stem: "nvidia_cuda_runtime-",
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    },
    Wheel {
        requirement: "nvidia-cuda-cupti==13.0.85",
        stem: "nvidia_cuda_cupti-",
        sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    },
];

/// Libraries of the wheel that a machine without GPU must not load.
const LEFT_OUT: [&str; 4] =
    ["libtorch.so", "libtorch_cuda.so", "libtorch_cuda_linalg.so", "libtorch_nvshmem.so"];

/// Where libtorch comes from.
pub(crate) enum Torch {
    /// The user's Python (`LIBTORCH_USE_PYTORCH=1`).
    Python,
    /// A folder with `lib` and `include`.
    Folder(PathBuf),
}

impl std::fmt::Display for Torch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Python => f.write_str("PyTorch of the Python in PATH"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl Torch {
    /// Adds what builds and programs need to find it.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Self::Folder(folder) = self {
            command.env("LIBTORCH", folder);
            let mut path = OsString::from(folder.join("lib"));
            if let Some(rest) = std::env::var_os("LD_LIBRARY_PATH").filter(|rest| !rest.is_empty())
            {
                path.push(":");
                path.push(rest);
            }
            command.env("LD_LIBRARY_PATH", path);
        }
    }
}

/// libtorch as the environment asks for it, else from the cache, fetched when it is not there.
pub(crate) fn provide() -> Result<Torch, Fault> {
    if std::env::var_os("LIBTORCH_USE_PYTORCH").is_some_and(|value| value == "1") {
        return Ok(Torch::Python);
    }
    if let Some(folder) = std::env::var_os("LIBTORCH").map(PathBuf::from) {
        if folder.join("lib").is_dir() {
            return Ok(Torch::Folder(folder));
        }
        return Err(Fault::new(format!(
            "LIBTORCH is set to {}, which has no `lib` folder; correct or unset it",
            folder.display()
        )));
    }
    let cache = cache()?;
    fs::create_dir_all(&cache).doing(format_args!("making {}", cache.display()))?;
    let lock = fs::File::create(cache.join("libtorch.lock")).doing("making the cache's lock")?;
    lock.lock().doing("waiting for the cache's lock")?;
    let folder = cache.join(format!("libtorch-{VERSION}"));
    if !folder.join("cpu/lib/libtorch.so").is_file() {
        fetch(&cache, &folder)?;
    }
    Ok(Torch::Folder(folder.join("cpu")))
}

fn cache() -> Result<PathBuf, Fault> {
    let set =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|folder| folder.join("mmc"))
        .ok_or_else(|| Fault::new("neither XDG_CACHE_HOME nor HOME is set; set one, or LIBTORCH"))
}

fn fetch(cache: &Path, folder: &Path) -> Result<(), Fault> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Fault::new(format!(
            "no libtorch is fetched for this kind of machine; install PyTorch {VERSION} and set LIBTORCH_USE_PYTORCH=1, or set LIBTORCH to a libtorch folder"
        )));
    }
    let free = free_bytes(cache)?;
    if free < NEEDED_BYTES {
        return Err(Fault::new(format!(
            "{} has {} MB free and libtorch needs {} MB; make room or set XDG_CACHE_HOME to a larger disk, then run this again",
            cache.display(),
            free / 1_000_000,
            NEEDED_BYTES / 1_000_000
        )));
    }
    need("python3", "python3")?;
    if !Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output()
        .is_ok_and(|o| o.status.success())
    {
        need("pip3", "python3-pip")?;
    }
    let wheels = cache.join("wheels");
    fs::create_dir_all(&wheels).doing(format_args!("making {}", wheels.display()))?;
    let unpacked = cache.join(format!("libtorch-{VERSION}.part"));
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).doing(format_args!("clearing {}", unpacked.display()))?;
    }
    for wheel in &WHEELS {
        let file = download(wheel, &wheels)?;
        run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&file).arg(&unpacked))?;
    }
    cpu_view(&unpacked)?;
    if folder.exists() {
        fs::remove_dir_all(folder).doing(format_args!("clearing {}", folder.display()))?;
    }
    fs::rename(&unpacked, folder).doing(format_args!("moving libtorch to {}", folder.display()))?;
    fs::remove_dir_all(&wheels).doing(format_args!("removing {}", wheels.display()))
}

/// Fetches a wheel with pip, which checks the sum; a whole one from an earlier try is taken as it is.
fn download(wheel: &Wheel, wheels: &Path) -> Result<PathBuf, Fault> {
    if let Some(file) = find(wheels, wheel.stem) {
        if sum(&file)? == wheel.sha256 {
            return Ok(file);
        }
        // Cut off while it was being moved here.
        fs::remove_file(&file).doing(format_args!("removing the broken {}", file.display()))?;
    }
    let pins = wheels.join("requirement.txt");
    fs::write(&pins, format!("{} --hash=sha256:{}\n", wheel.requirement, wheel.sha256))
        .doing(format_args!("writing {}", pins.display()))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--require-hashes", "--no-cache-dir"]);
    pip.args(["--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp"]);
    for platform in ["manylinux_2_28", "manylinux_2_25", "manylinux_2_17", "manylinux2014"] {
        pip.arg("--platform").arg(format!("{platform}_x86_64"));
    }
    pip.arg("--dest").arg(wheels).arg("-r").arg(&pins);
    run(&mut pip).map_err(|fault| {
        Fault::new(format!(
            "{fault}\n  {} could not be fetched, or its checksum does not fit (see above).\n  What is complete stays in {}; run this again to go on.",
            wheel.requirement,
            wheels.display()
        ))
    })?;
    find(wheels, wheel.stem)
        .ok_or_else(|| Fault::new(format!("pip left no file for {}", wheel.requirement)))
}

/// The sha256 of a file in hexadecimal, by the Python that fetched it.
fn sum(file: &Path) -> Result<String, Fault> {
    let question =
        "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())";
    Ok(output(Command::new("python3").args(["-c", question]).arg(file))?.trim().to_owned())
}

fn find(folder: &Path, stem: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.filter_map(Result::ok).map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(stem))
            && path.extension().is_some_and(|extension| extension == "whl")
    })
}

/// `cpu/`: the wheel's libraries without CUDA's, and an empty `libtorch.so` (the real one drags CUDA in).
fn cpu_view(unpacked: &Path) -> Result<(), Fault> {
    let lib = unpacked.join("cpu/lib");
    fs::create_dir_all(&lib).doing(format_args!("making {}", lib.display()))?;
    symlink("../torch/include", unpacked.join("cpu/include")).doing("linking the headers")?;
    let libraries = fs::read_dir(unpacked.join("torch/lib")).doing("listing torch/lib")?;
    for library in libraries {
        let name = library.doing("listing torch/lib")?.file_name();
        if !LEFT_OUT.iter().any(|left_out| name == *left_out) {
            symlink(Path::new("../../torch/lib").join(&name), lib.join(&name))
                .doing(format_args!("linking {}", name.to_string_lossy()))?;
        }
    }
    need("cc", "build-essential")?;
    let source = unpacked.join("cpu/stub.c");
    fs::write(&source, "void mmc_libtorch_stub(void) {}\n").doing("writing the stub")?;
    run(Command::new("cc")
        .args(["-shared", "-fPIC", "-Wl,-soname,libtorch.so", "-o"])
        .arg(lib.join("libtorch.so"))
        .arg(&source))
}
