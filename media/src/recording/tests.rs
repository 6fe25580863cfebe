use std::cell::RefCell;
use std::io::{Cursor, SeekFrom};
use std::rc::Rc;

use super::*;
use crate::dsp::meter::frequency_power;
use crate::dsp::tone::{ToneGenerator, burst};
use crate::prompt::{Prompt, PromptLimits};

/// A file that others can look into while it is written.
#[derive(Clone, Default)]
struct SharedFile(Rc<RefCell<Cursor<Vec<u8>>>>);

impl SharedFile {
    fn octets(&self) -> Vec<u8> {
        self.0.borrow().get_ref().clone()
    }

    fn samples(&self) -> Vec<i16> {
        hound::WavReader::new(Cursor::new(self.octets()))
            .unwrap()
            .into_samples()
            .map(Result::unwrap)
            .collect()
    }
}

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.borrow_mut().seek(to)
    }
}

#[test]
fn a_wav_is_playable_at_every_moment_and_lacks_less_than_a_second() {
    let file = SharedFile::default();
    let mut recorder = Recorder::new(file.clone(), FileShape::default()).unwrap();
    assert_eq!(file.samples(), []);
    let sound = burst(440.0, -10.0, Duration::from_secs(3));
    for (at, frame) in sound.chunks(160).enumerate() {
        recorder.write(frame).unwrap();
        let written = (at + 1) * 160;
        let playable = file.samples();
        assert!(written - playable.len() < 8_000);
        assert_eq!(playable, sound[..playable.len()]);
    }
    assert_eq!(recorder.duration(), Duration::from_secs(3));
    recorder.write(&sound[..100]).unwrap();
    drop(recorder);
    assert_eq!(file.samples().len(), sound.len() + 100);
}

#[test]
fn a_recording_plays_as_a_prompt() {
    let file = SharedFile::default();
    let sound = burst(440.0, -10.0, Duration::from_millis(700));
    let mut recorder = Recorder::new(file.clone(), FileShape::default()).unwrap();
    recorder.write(&sound).unwrap();
    recorder.finish().unwrap();
    let bytes = file.octets();
    let prompt = Prompt::decode(bytes, Some("wav"), PromptLimits::default()).unwrap();
    assert_eq!(prompt.samples(), sound);
}

#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Seek for Full {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }
    assert!(
        matches!(Recorder::new(Full, FileShape::default()), Err(RecordingError::Io(error)) if error.kind() == io::ErrorKind::StorageFull)
    );
}

const NARROW: FileShape = FileShape {
    format: FileFormat::Wav,
    band: Band::Narrow,
    is_stereo: false,
};

/// A file of `seconds` of tones, one a channel, as its octets.
fn tones(shape: FileShape, hertz: &[f32], seconds: u64) -> Vec<u8> {
    let file = SharedFile::default();
    let mut recorder = Recorder::new(file.clone(), shape).unwrap();
    let rate = shape.band.sample_rate();
    let count = u64::from(rate) * seconds;
    // The generator counts by 8 kHz.
    let scale = 8_000.0 / rate as f32;
    let sides: Vec<Vec<i16>> = hertz
        .iter()
        .map(|hertz| {
            let mut side = vec![0; count as usize];
            ToneGenerator::single(hertz * scale, -10.0).fill(&mut side);
            side
        })
        .collect();
    let interleaved: Vec<i16> = (0..count as usize)
        .flat_map(|at| sides.iter().map(move |side| side[at]))
        .collect();
    for tick in interleaved.chunks(rate as usize / 50 * hertz.len()) {
        recorder.write(tick).unwrap();
    }
    assert_eq!(recorder.duration(), Duration::from_secs(seconds));
    recorder.finish().unwrap();
    file.octets()
}

fn formats() -> impl Iterator<Item = FileFormat> {
    [FileFormat::Wav, FileFormat::Mp3, FileFormat::OggOpus]
        .into_iter()
        .filter(|format| format.is_supported())
}

#[test]
fn every_format_and_band_plays_what_was_said_for_as_long_as_it_was_said() {
    for format in formats() {
        for band in [Band::Narrow, Band::Wide] {
            let shape = FileShape {
                format,
                band: format.band(band),
                is_stereo: false,
            };
            let octets = tones(shape, &[1_000.0], 2);
            let prompt = Prompt::decode(octets, None, PromptLimits::default()).unwrap();
            let length = prompt.duration().as_millis();
            assert!((2_000..2_200).contains(&length), "{shape:?}: {length} ms");
            let power = frequency_power(&prompt.samples()[4_000..12_000], 1_000.0);
            // -10 dBm0 is -16.2 dBov.
            assert!((power + 16.2).abs() < 1.5, "{shape:?}: {power:.1} dBov");
            assert_eq!(prompt.wide().is_some(), shape.band == Band::Wide);
        }
    }
}

#[test]
fn two_sides_of_a_stereo_file_are_both_heard_when_it_is_played() {
    for format in formats() {
        let shape = FileShape {
            format,
            band: format.band(Band::Narrow),
            is_stereo: true,
        };
        let octets = tones(shape, &[600.0, 1_500.0], 2);
        let prompt = Prompt::decode(octets, None, PromptLimits::default()).unwrap();
        for hertz in [600.0, 1_500.0] {
            let power = frequency_power(&prompt.samples()[4_000..12_000], hertz);
            assert!(
                (power + 22.2).abs() < 1.5,
                "{format:?}, {hertz}: {power:.1} dBov"
            );
        }
    }
}

#[test]
fn what_is_compressed_is_much_smaller() {
    let wav = tones(NARROW, &[440.0], 10).len();
    for format in formats().filter(|format| *format != FileFormat::Wav) {
        let band = format.band(Band::Narrow);
        let shape = FileShape {
            format,
            band,
            is_stereo: false,
        };
        let size = tones(shape, &[440.0], 10).len();
        assert!(size * 4 < wav, "{format:?}: {size} of {wav} octets");
    }
}

#[test]
fn a_killed_recording_lacks_no_more_than_its_last_second() {
    for format in formats() {
        let shape = FileShape {
            format,
            band: format.band(Band::Narrow),
            is_stereo: false,
        };
        let file = SharedFile::default();
        let mut recorder = Recorder::new(file.clone(), shape).unwrap();
        let second = vec![1_000; shape.band.sample_rate() as usize];
        (0..5).for_each(|_| recorder.write(&second).unwrap());
        recorder.flush().unwrap();
        let octets = file.octets();
        let prompt = Prompt::decode(octets, None, PromptLimits::default()).unwrap();
        let length = prompt.duration();
        assert!(
            length > Duration::from_millis(3_900),
            "{format:?}: {length:?}"
        );
        std::mem::forget(recorder);
    }
}

#[cfg(not(feature = "mp3"))]
#[test]
fn a_format_without_an_encoder_is_refused_by_name() {
    let shape = FileShape {
        format: FileFormat::Mp3,
        ..FileShape::default()
    };
    let error = Recorder::new(SharedFile::default(), shape).err().unwrap();
    assert_eq!(error.to_string(), "this build cannot write mp3");
}
