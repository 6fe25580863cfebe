//! The log to standard error, by a thread of its own.
//!
//! Whoever logs leaves a line and goes on: a terminal, pipe or disk that is slow holds up no call. The thread
//! writes what has gathered in 10 ms, all at once, so that a thousand lines cost a handful of system calls.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a line waits for others.
const GATHER: Duration = Duration::from_millis(10);
/// Octets that wait at most; what comes beyond is left out and counted.
const ROOM: usize = 4 << 20;

/// Takes lines; see [`Log::start`].
#[derive(Clone, Debug)]
pub struct Lines(Arc<Shared>);

/// The running log. Dropping it writes what is left.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    octets: Vec<u8>,
    left_out: u64,
    is_over: bool,
}

impl Log {
    /// Starts to write to `sink`.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<(Self, Lines)> {
        let shared = Arc::<Shared>::default();
        let writing = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writing.write_all(sink))?;
        let lines = Lines(Arc::clone(&shared));
        let thread = Some(thread);
        Ok((Self { shared, thread }, lines))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.news.notify_one();
        if let Some(thread) = self.thread.take() {
            // One that has failed has said so.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes until it is over.
    fn write_all(&self, mut sink: impl Write) {
        let mut octets = Vec::new();
        let mut waiting = self.lock();
        loop {
            let is_idle = |waiting: &mut Waiting| waiting.octets.is_empty() && !waiting.is_over;
            let nothing = self.news.wait_while(waiting, is_idle);
            waiting = nothing.unwrap_or_else(PoisonError::into_inner);
            let is_open = |waiting: &mut Waiting| !waiting.is_over;
            let gathered = self.news.wait_timeout_while(waiting, GATHER, is_open);
            waiting = gathered.unwrap_or_else(PoisonError::into_inner).0;
            std::mem::swap(&mut waiting.octets, &mut octets);
            let left_out = std::mem::take(&mut waiting.left_out);
            let is_over = waiting.is_over;
            drop(waiting);
            // There is nobody to tell that nobody reads.
            let _ = sink.write_all(&octets);
            if left_out > 0 {
                let _ = writeln!(sink, "{left_out} lines of the log were left out here");
            }
            octets.clear();
            if is_over {
                return;
            }
            waiting = self.lock();
        }
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock();
        if waiting.octets.len() + line.len() > ROOM {
            waiting.left_out += 1;
            return Ok(line.len());
        }
        let is_first = waiting.octets.is_empty();
        waiting.octets.extend_from_slice(line);
        drop(waiting);
        if is_first {
            self.0.news.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written, and how often.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<(Vec<u8>, u32)>>);

    impl Write for Sink {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let mut written = self.0.lock().unwrap();
            written.0.extend_from_slice(octets);
            written.1 += 1;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_in_order_and_the_last_before_the_end_and_few_writes_carry_many() {
        let sink = Sink::default();
        let (log, mut lines) = Log::start(sink.clone()).unwrap();
        let said: String = (0..1000).map(|number| format!("line {number}\n")).collect();
        for line in said.split_inclusive('\n') {
            lines.write_all(line.as_bytes()).unwrap();
        }
        drop(log);
        let written = sink.0.lock().unwrap();
        assert_eq!(String::from_utf8_lossy(&written.0), said);
        assert!(written.1 < 500, "{} writes", written.1);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_told() {
        let sink = Sink::default();
        let held = sink.0.lock().unwrap();
        let (log, mut lines) = Log::start(sink.clone()).unwrap();
        lines.write_all(b"first\n").unwrap();
        let long = [b'x'; 1 << 20];
        // The sink takes nothing: one portion is on its way at most, and the next fills the room.
        for _ in 0..12 {
            lines.write_all(&long).unwrap();
        }
        drop(held);
        drop(log);
        let written = sink.0.lock().unwrap();
        let text = String::from_utf8_lossy(&written.0);
        assert!(text.len() < 12 << 20 && text.contains("lines of the log were left out here"));
    }
}
