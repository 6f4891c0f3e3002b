//! The queue folder: a file `NAME.json` in it is a workflow.
//!
//! A file is claimed by renaming it into `claimed/`, which only one orchestrator can do; it ends in `done/`, or in
//! `refused/` beside the reason. Writers rename their file into the folder, so that no half-written one is claimed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use platform_types::Submission;

use crate::engine::{Engine, Refusal};

/// The largest workflow file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Looks into the folder for ever.
pub async fn watch(folder: PathBuf, every: Duration, engine: Arc<Engine>) {
    let mut last = String::new();
    loop {
        let outcome = sweep(&folder, &engine);
        let problem = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        if !problem.is_empty() && problem != last {
            eprintln!("warning: queue `{}`: {problem}", folder.display());
        }
        last = problem;
        tokio::time::sleep(every).await;
    }
}

/// Takes every workflow that lies in the folder now, oldest name first, and any that a stopped orchestrator claimed.
pub fn sweep(folder: &Path, engine: &Engine) -> io::Result<()> {
    let claimed = folder.join("claimed");
    for part in ["claimed", "done", "refused"] {
        fs::create_dir_all(folder.join(part))?;
    }
    for file in workflow_files(folder)? {
        match fs::rename(&file, claimed.join(format!("{}.json", engine.next_id()))) {
            // Another orchestrator was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    for file in workflow_files(&claimed)? {
        take(folder, &file, engine)?;
    }
    Ok(())
}

fn take(folder: &Path, file: &Path, engine: &Engine) -> io::Result<()> {
    let id = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let refuse = |reason: &str| {
        fs::write(folder.join("refused").join(format!("{id}.reason")), format!("{reason}\n"))?;
        fs::rename(file, folder.join("refused").join(format!("{id}.json")))
    };
    if engine.store().find(&id).is_none() {
        let submission = match read(file)? {
            Ok(submission) => submission,
            Err(reason) => return refuse(&reason),
        };
        match engine.accept(id.clone(), submission) {
            Ok(_) => {}
            Err(Refusal::Wrong(reason)) => return refuse(&reason),
            // Stays claimed; the next sweep tries again.
            Err(Refusal::Full) => return Ok(()),
            Err(Refusal::Disk(error)) => return Err(error),
        }
    }
    fs::rename(file, folder.join("done").join(format!("{id}.json")))
}

fn read(file: &Path) -> io::Result<Result<Submission, String>> {
    if fs::metadata(file)?.len() > FILE_BYTES_MAX {
        return Ok(Err(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(serde_json::from_slice(&fs::read(file)?).map_err(|error| error.to_string()))
}

fn workflow_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_file() && path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
