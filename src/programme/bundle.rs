//! A bundle: the files of one programme, bounded, UTF-8, under one hash.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{Report, compile};

/// The file every bundle has.
pub(super) const MAIN_FILE: &str = "programme.toml";
const MAX_FILES: usize = 64;
const MAX_BYTES: usize = 1 << 20;

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    /// Its name within the bundle's directory, without any path.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why a directory is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The directory or a file in it cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No `programme.toml`.
    #[error("the bundle has no programme.toml; give the directory that holds it")]
    NoProgramme,
    /// More than 64 files.
    #[error("the bundle has more than {MAX_FILES} files; keep only programme.toml and its tables there")]
    TooManyFiles,
    /// More than 1 MiB in all.
    #[error(
        "the bundle is larger than {MAX_BYTES} bytes in all, at {0}; keep only programme.toml and its tables there"
    )]
    TooLarge(String),
    /// Not UTF-8.
    #[error("{name} is not UTF-8 text at byte {offset}; save it as UTF-8")]
    NotUtf8 {
        /// The file.
        name: String,
        /// Where the first wrong byte is.
        offset: usize,
    },
    /// A name twice, or one that is no plain file name.
    #[error("\"{0}\" is not a file name a bundle may have once; give plain names, each once")]
    BadName(String),
}

/// The files of one programme, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    files: Vec<BundleFile>,
}

impl Bundle {
    /// Reads `programme.toml` and the `.csv` tables beside it; other files and directories are left alone.
    pub fn read(dir: &Path) -> Result<Bundle, BundleError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| BundleError::Read { path, source }
        };
        let mut files = Vec::new();
        let mut room = MAX_BYTES;
        for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
            let path = entry.map_err(failed(dir))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name != MAIN_FILE && !name.ends_with(".csv") {
                continue;
            }
            if files.len() == MAX_FILES {
                return Err(BundleError::TooManyFiles);
            }
            let mut bytes = Vec::new();
            let file = std::fs::File::open(&path).map_err(failed(&path))?;
            file.take(room as u64 + 1).read_to_end(&mut bytes).map_err(failed(&path))?;
            room = room.checked_sub(bytes.len()).ok_or_else(|| BundleError::TooLarge(name.to_owned()))?;
            let text = String::from_utf8(bytes).map_err(|error| {
                let offset = error.utf8_error().valid_up_to();
                BundleError::NotUtf8 { name: name.to_owned(), offset }
            })?;
            files.push(BundleFile { name: name.to_owned(), text });
        }
        Bundle::from_files(files)
    }

    /// A bundle of these files, in any order.
    pub fn from_files(mut files: Vec<BundleFile>) -> Result<Bundle, BundleError> {
        if files.len() > MAX_FILES {
            return Err(BundleError::TooManyFiles);
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let mut bytes = 0;
        for (index, file) in files.iter().enumerate() {
            let again = index > 0 && files[index - 1].name == file.name;
            if again || file.name.is_empty() || file.name.len() > 255 || file.name.contains(['/', '\\', '\0']) {
                return Err(BundleError::BadName(file.name.clone()));
            }
            bytes += file.text.len();
            if bytes > MAX_BYTES {
                return Err(BundleError::TooLarge(file.name.clone()));
            }
        }
        if !files.iter().any(|file| file.name == MAIN_FILE) {
            return Err(BundleError::NoProgramme);
        }
        Ok(Bundle { files })
    }

    /// The files, sorted by name.
    pub fn files(&self) -> &[BundleFile] {
        &self.files
    }

    /// BLAKE3 over the number of files, then each name and text with its length before it (all u64, little-endian).
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.files.len() as u64).to_le_bytes());
        for part in self.files.iter().flat_map(|file| [&file.name, &file.text]) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// The programme's slug, without compiling the rest.
    pub fn slug(&self) -> Result<String, Report> {
        compile::slug(self)
    }

    pub(super) fn main_text(&self) -> &str {
        let main = self.files.iter().find(|file| file.name == MAIN_FILE);
        &main.expect("a bundle is only made with its programme.toml").text
    }
}
