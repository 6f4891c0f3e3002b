//! Calls the core's command for one step. No shell is involved: words stay words.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use platform_types::{State, StepReport};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// The most output of a step that is kept, for each of stdout and stderr.
const OUTPUT_BYTES_MAX: u64 = 64 << 10;

/// How the core is called.
#[derive(Debug, Clone)]
pub struct Runner {
    /// The command: a name on PATH, or a path.
    pub command: String,
    /// How long one step may take.
    pub step_timeout: Duration,
}

impl Runner {
    /// Runs a step to its end and writes what came of it into the report.
    pub async fn run(&self, step: &mut StepReport, workspace: Option<&str>) {
        let mut command = Command::new(&self.command);
        command.args(&step.run);
        if let Some(workspace) = workspace {
            command.args(["--workspace", workspace]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return failed(step, &format!("cannot run `{}`: {error}", self.command)),
        };
        match tokio::time::timeout(self.step_timeout, finish(child)).await {
            Ok(Ok((code, output))) => {
                step.state = if code == Some(0) { State::Succeeded } else { State::Failed };
                step.exit_code = code;
                step.output = output;
            }
            Ok(Err(error)) => failed(step, &error.to_string()),
            Err(_) => failed(step, &format!("stopped after {} s", self.step_timeout.as_secs())),
        }
    }
}

fn failed(step: &mut StepReport, cause: &str) {
    step.state = State::Failed;
    cause.clone_into(&mut step.output);
}

async fn finish(mut child: Child) -> std::io::Result<(Option<i32>, String)> {
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let (out, err, status) = tokio::try_join!(kept(stdout), kept(stderr), child.wait())?;
    Ok((status.code(), out + &err))
}

/// Reads to the end, so that the command never blocks, and keeps the beginning.
async fn kept(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let Some(mut pipe) = pipe else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    (&mut pipe).take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes).await?;
    let dropped = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if dropped > 0 {
        writeln!(text, "\n[{dropped} more bytes]").expect("a String takes every write");
    }
    Ok(text)
}
