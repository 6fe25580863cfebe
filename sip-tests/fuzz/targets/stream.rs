//! Any bytes as a stream: however they are cut, the same frames come out.
#![no_main]

use flowswitch::sip::message::{Frame, FramingError, StreamFramer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let size = usize::from(*cut) + 1;
    assert_eq!(
        frames(bytes.chunks(size)),
        frames(std::iter::once(bytes)),
        "in pieces of {size}"
    );
});

fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Result<Frame, FramingError>> {
    let mut framer = StreamFramer::with_max_message(2048);
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        frames.extend(std::iter::from_fn(|| framer.poll_frame()));
    }
    frames
}
