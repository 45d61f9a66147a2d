//! What the offline commands share: a data directory, locked and never changed, and a bar while it is read.

use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use crate::data::{OpenError, Progress};
use crate::snapshot::Manifest;
use crate::storage::{Disk, DiskError, Storage};

/// Why a data directory cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// No directory, or one that Tidegate did not make.
    #[error(
        "{0} is no data directory of Tidegate: there is no file MANIFEST in it; give the directory of `serve --data`"
    )]
    NoDirectory(String),
    /// A backup whose first run never came to its end.
    #[error("this backup was never completed; run `tidegate backup` into it again")]
    Incomplete,
    /// It cannot be locked.
    #[error("{0}")]
    Locked(#[from] DiskError),
    /// What recovery would say.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Locks a directory, so that no server writes it meanwhile, and reads its manifest. Makes nothing where nothing is.
pub fn open(directory: &Path) -> Result<(Arc<dyn Storage>, Manifest), OfflineError> {
    let nothing = || OfflineError::NoDirectory(directory.display().to_string());
    if !directory.join("MANIFEST").is_file() {
        return Err(nothing());
    }
    let storage: Arc<dyn Storage> = Arc::new(Disk::open(directory)?);
    let manifest = Manifest::read(&*storage).map_err(OpenError::from)?.ok_or_else(nothing)?;
    Ok((storage, manifest))
}

/// Shows how far reading has come; nothing where standard error is no terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// An empty one.
    pub fn new() -> Bar {
        let style = ProgressStyle::with_template("{msg:>9} [{bar:40}] {bytes} of {total_bytes}, {eta} left");
        Bar(ProgressBar::new(0).with_style(style.expect("the template is right")))
    }

    /// Reading has come this far.
    pub fn show(&self, progress: Progress) {
        if self.0.message() != progress.stage {
            self.0.set_message(progress.stage);
        }
        self.0.set_length(progress.total_bytes);
        self.0.set_position(progress.done_bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
