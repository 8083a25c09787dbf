//! A program that is run with pipes, a time limit, and no way to outlive its owner.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The most that is kept of what a program says on standard error, in bytes.
const STDERR_BYTES: usize = 8 << 10;
/// How long a program may take to end once its output has ended or is no longer wanted.
const GRACE: Duration = Duration::from_secs(5);
const CHUNK_BYTES: usize = 32 << 10;
/// How much output nobody wants is waited for, in chunks.
const MAX_DRAINED_CHUNKS: usize = 64;

/// A running program. Reading is from its standard output, writing to its standard input; a read that takes longer
/// than the time limit kills it. It is killed and reaped on drop.
pub(super) struct Program {
    child: Child,
    stdin: Option<Sender<Vec<u8>>>,
    stdout: Receiver<io::Result<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_end: Receiver<()>,
    chunk: Vec<u8>,
    taken: usize,
    timeout: Duration,
}

impl Program {
    /// Starts the program.
    pub(super) fn spawn(mut command: Command, timeout: Duration) -> io::Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (stdin, input) = mpsc::channel::<Vec<u8>>();
        if let Some(mut pipe) = child.stdin.take() {
            // Writing happens on a thread of its own, so that a program that does not read cannot block its owner:
            // the owner's next read runs into the time limit.
            std::thread::spawn(move || {
                for bytes in input {
                    if pipe.write_all(&bytes).and_then(|()| pipe.flush()).is_err() {
                        return;
                    }
                }
            });
        }
        let (output, stdout) = mpsc::sync_channel(16);
        if let Some(mut pipe) = child.stdout.take() {
            std::thread::spawn(move || {
                loop {
                    let mut bytes = vec![0; CHUNK_BYTES];
                    let read = pipe.read(&mut bytes).map(|count| {
                        bytes.truncate(count);
                        bytes
                    });
                    let last = read.as_ref().map_or(true, Vec::is_empty);
                    if output.send(read).is_err() || last {
                        return;
                    }
                }
            });
        }
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let (ended, stderr_end) = mpsc::channel();
        if let Some(mut pipe) = child.stderr.take() {
            let kept = Arc::clone(&stderr);
            std::thread::spawn(move || {
                let mut bytes = vec![0; 1024];
                while let Ok(count @ 1..) = pipe.read(&mut bytes) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    let room = STDERR_BYTES.saturating_sub(kept.len());
                    kept.extend(bytes.iter().take(count.min(room)));
                }
                drop(ended);
            });
        }
        let stdin = Some(stdin);
        Ok(Self { child, stdin, stdout, stderr, stderr_end, chunk: Vec::new(), taken: 0, timeout })
    }

    /// Tells the program that nothing more will come.
    pub(super) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// What the program has said on standard error, once it has ended or stopped talking.
    pub(super) fn stderr_text(&self) -> String {
        // Nothing is ever sent: it ends when the reader does.
        let _ended = self.stderr_end.recv_timeout(Duration::from_secs(1));
        String::from_utf8_lossy(&self.stderr.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits for the program's end, not longer than the grace, then kills it.
    pub(super) fn finish(&mut self) -> io::Result<ExitStatus> {
        self.close_stdin();
        let step = Duration::from_millis(5);
        let mut left = GRACE;
        while left > Duration::ZERO {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(step);
            left = left.saturating_sub(step);
        }
        self.kill();
        self.child.wait()
    }

    fn kill(&mut self) {
        if let Err(error) = self.child.kill() {
            tracing::debug!(%error, "a program could not be killed");
        }
    }
}

impl Read for Program {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken >= self.chunk.len() {
            self.taken = 0;
            self.chunk = match self.stdout.recv_timeout(self.timeout) {
                Ok(read) => read?,
                Err(RecvTimeoutError::Disconnected) => Vec::new(),
                Err(RecvTimeoutError::Timeout) => {
                    self.kill();
                    let text = format!("no answer within {} s", self.timeout.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
            };
        }
        let ready = self.chunk.get(self.taken..).unwrap_or(&[]);
        let count = ready.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(ready) {
            *to = *from;
        }
        self.taken += count;
        Ok(count)
    }
}

impl Write for Program {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let stdin = self.stdin.as_ref().ok_or_else(gone)?;
        stdin.send(buffer.to_vec()).map_err(|_closed| gone())?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The other side may still be at work after its last word (a post-receive hook): it gets a moment to end by
        // itself before the connection is cut.
        self.close_stdin();
        for _ in 0..MAX_DRAINED_CHUNKS {
            match self.stdout.recv_timeout(GRACE) {
                Ok(Ok(chunk)) if !chunk.is_empty() => {}
                Ok(_) | Err(_) => break,
            }
        }
        match self.child.try_wait() {
            Ok(Some(_)) => return,
            Ok(None) | Err(_) => self.kill(),
        }
        if let Err(error) = self.child.wait() {
            tracing::debug!(%error, "a program could not be reaped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Program {
        #[expect(clippy::disallowed_methods, reason = "the tests run a shell")]
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Program::spawn(command, timeout).unwrap()
    }

    #[test]
    fn it_is_written_to_read_from_and_its_words_are_kept() {
        let mut program = shell("cat; echo complaint >&2; exit 3", Duration::from_secs(10));
        let text = "x".repeat(200_000);
        program.write_all(text.as_bytes()).unwrap();
        program.close_stdin();
        let mut read = String::new();
        program.read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
        assert_eq!(program.finish().unwrap().code(), Some(3));
        assert_eq!(program.stderr_text(), "complaint\n");
    }

    #[test]
    fn a_silent_program_is_killed_and_none_outlives_its_owner() {
        let mut program = shell("exec sleep 60", Duration::from_millis(50));
        let process = std::path::PathBuf::from(format!("/proc/{}", program.child.id()));
        assert!(process.exists());
        let error = program.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(program);
        assert!(!process.exists());
    }
}
