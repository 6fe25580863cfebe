//! A small server on loopback, and what it is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowswitch_media::prompt::{Prompt, PromptLimits};

use super::super::server::{Asked, Server};
use super::super::{Outside, OutsideConfig};
use super::*;
use crate::shell::fetch::ApiKey;
use crate::switch::OutsideRequest;

/// Name of each part of a form with its file name, type and content.
type Parts = BTreeMap<String, (Option<String>, Option<String>, Vec<u8>)>;

/// Reads a form as RFC 7578 has it, octet by octet.
fn parts(asked: &Asked) -> Parts {
    let boundary = asked.header("content-type").unwrap();
    let boundary = boundary
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let body = [b"\r\n", &asked.body[..]].concat();
    let starts: Vec<usize> = memchr::memmem::find_iter(&body, &delimiter).collect();
    assert_eq!(
        &body[starts[starts.len() - 1] + delimiter.len()..],
        b"--\r\n"
    );
    let part = |pair: &[usize]| {
        let part = &body[pair[0] + delimiter.len() + 2..pair[1]];
        let end = memchr::memmem::find(part, b"\r\n\r\n").unwrap();
        let head = String::from_utf8(part[..end].to_vec()).unwrap();
        let quoted = |key: &str| {
            let (_, rest) = head.split_once(&format!("{key}=\""))?;
            Some(rest.split('"').next()?.to_owned())
        };
        let kind = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-type: ")
                .map(str::to_owned)
        });
        (
            quoted(" name").unwrap(),
            (quoted("filename"), kind, part[end + 4..].to_vec()),
        )
    };
    starts.windows(2).map(part).collect()
}

async fn transcribe(server: &Server, sound: Sound, language: &str) -> OutsideAnswer {
    let config = OutsideConfig {
        transcription: Some(TranscriptionConfig {
            server: ProviderConfig {
                url: server.url("/v1/audio/transcriptions"),
                key: Some(ApiKey::from("secret".to_owned())),
            },
            model: "whisper-1".to_owned(),
        }),
        ..OutsideConfig::default()
    };
    let language = language.to_owned();
    let request = OutsideRequest::Transcribe { sound, language };
    Outside::new(config).unwrap().carry_out(request).await
}

fn said(text: &str) -> Vec<u8> {
    let text = serde_json::json!({"text": text}).to_string();
    Server::ok("application/json", text.as_bytes())
}

#[tokio::test]
async fn speech_is_sent_as_a_wav_file_in_a_form_and_its_text_comes_back() {
    let server = Server::start(|_| said(" Good morning. ")).await;
    let samples: Arc<[i16]> = (0..800).collect();
    let answer = transcribe(&server, Sound::Samples(Arc::clone(&samples)), "en-US").await;
    assert_eq!(answer, OutsideAnswer::Text("Good morning.".to_owned()));

    let asked = server.requests().remove(0);
    assert_eq!(asked.line, "POST /v1/audio/transcriptions HTTP/1.1");
    assert_eq!(asked.header("authorization"), Some("Bearer secret"));
    let parts = parts(&asked);
    let text = |name: &str| String::from_utf8(parts[name].2.clone()).unwrap();
    assert_eq!(text("model"), "whisper-1");
    assert_eq!(text("language"), "en");
    assert_eq!(text("response_format"), "json");
    let (name, kind, file) = &parts["file"];
    assert_eq!(name.as_deref(), Some("speech.wav"));
    assert_eq!(kind.as_deref(), Some("audio/wav"));
    let limits = PromptLimits {
        max_duration: Duration::from_secs(1),
    };
    let heard = Prompt::decode(file.clone(), Some("wav"), limits).unwrap();
    assert_eq!(heard.samples(), &samples[..]);
    assert_eq!(parts.len(), 4);
}

#[tokio::test]
async fn language_that_is_none_is_left_to_the_server() {
    let server = Server::start(|_| said("hallo")).await;
    for (language, sent) in [("", None), ("deutsch", None), ("DE_de", Some("de"))] {
        let _ = transcribe(&server, Sound::Samples(Arc::new([0; 80])), language).await;
        let parts = parts(server.requests().last().unwrap());
        let found = parts.get("language").map(|part| part.2.clone());
        assert_eq!(
            found,
            sent.map(|sent| sent.as_bytes().to_vec()),
            "{language}"
        );
    }
}

/// A WAV of silence: so many samples of a rate and channels, behind a chunk that says nothing.
fn wav(samples: usize, rate: u32, channels: u16) -> Vec<u8> {
    let octets = (samples * 2 * usize::from(channels)) as u32;
    let block = 2 * channels;
    let format = [
        &1u16.to_le_bytes()[..],
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * u32::from(block)).to_le_bytes(),
        &block.to_le_bytes(),
        &16u16.to_le_bytes(),
    ];
    let mut file = b"RIFF....WAVEfmt \x10\0\0\0".to_vec();
    format
        .iter()
        .for_each(|field| file.extend_from_slice(field));
    file.extend_from_slice(b"LIST\x03\0\0\0abc\0data");
    file.extend_from_slice(&octets.to_le_bytes());
    file.resize(file.len() + octets as usize, 0);
    file
}

#[tokio::test]
async fn recording_is_sent_in_pieces_of_ten_minutes_in_its_own_band_and_channels() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("call_in.wav");
    for (rate, channels, seconds) in [
        (8_000, 1, [600, 1]),
        (16_000, 1, [600, 1]),
        (16_000, 2, [390, 1]),
    ] {
        let all = (seconds[0] + seconds[1]) * rate as usize;
        std::fs::write(&file, wav(all, rate, channels)).unwrap();
        let server = Server::start(|asked| said(&asked.body.len().to_string())).await;
        let answer = transcribe(&server, Sound::File(file.clone()), "").await;
        let requests = server.requests();
        let lengths: Vec<String> = requests
            .iter()
            .map(|asked| asked.body.len().to_string())
            .collect();
        assert_eq!(answer, OutsideAnswer::Text(lengths.join(" ")));
        let sent: Vec<Vec<u8>> = requests
            .iter()
            .map(|asked| parts(asked)["file"].2.clone())
            .collect();
        let octets = 2 * usize::from(channels) * rate as usize;
        let expected = seconds.map(|seconds| 44 + seconds * octets);
        assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), expected);
        for piece in &sent {
            assert_eq!(piece[22..24], channels.to_le_bytes());
            assert_eq!(piece[24..28], rate.to_le_bytes());
        }
    }
}

#[tokio::test]
async fn compressed_recording_is_sent_as_it_is_with_its_name_and_type() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(|_| said("hello")).await;
    for (file, content, name, kind) in [
        (
            "call_in.mp3",
            &b"\xFF\xFB\x90\0 sound"[..],
            "speech.mp3",
            "audio/mpeg",
        ),
        ("call_out.mp3", b"ID3 and sound", "speech.mp3", "audio/mpeg"),
        ("call_in.ogg", b"OggS and sound", "speech.ogg", "audio/ogg"),
    ] {
        let file = place.path().join(file);
        std::fs::write(&file, content).unwrap();
        let answer = transcribe(&server, Sound::File(file), "").await;
        assert_eq!(answer, OutsideAnswer::Text("hello".to_owned()));
        let sent = parts(server.requests().last().unwrap());
        let expected = (
            Some(name.to_owned()),
            Some(kind.to_owned()),
            content.to_vec(),
        );
        assert_eq!(sent["file"], expected);
    }
}

/// The head of a WAV at 8 kHz that says it has so many octets.
fn claiming(octets: u32) -> Vec<u8> {
    let mut head = wav(0, 8_000, 1);
    let at = head.len() - 4;
    head[at..].copy_from_slice(&octets.to_le_bytes());
    head
}

#[tokio::test]
async fn file_that_is_not_there_or_no_sound_is_refused_and_a_server_that_fails_may_do_better() {
    let place = tempfile::tempdir().unwrap();
    let noise = place.path().join("noise.wav");
    let longest = place.path().join("longest.wav");
    for name in ["noise.mp3", "noise.ogg", "noise.flac", "noise"] {
        std::fs::write(place.path().join(name), "noise").unwrap();
    }
    std::fs::write(&noise, "noise").unwrap();
    std::fs::write(&longest, wav(0, 8_000, 1)).unwrap();
    let file = std::fs::File::options().write(true).open(&longest).unwrap();
    // Only a hole: it takes no room on the disk.
    file.set_len(3_700 * 16_000).unwrap();
    std::io::Write::write_all(&mut &file, &claiming(3_700 * 16_000)).unwrap();
    let server = Server::start(|_| Server::status(500)).await;
    let refused = OutsideAnswer::Failed(OutsideFailure::Refused);
    let others = [
        "nothing.wav",
        "nothing.ogg",
        "noise.mp3",
        "noise.ogg",
        "noise.flac",
        "noise",
    ];
    let others = others.map(|name| place.path().join(name));
    for file in [noise, longest].into_iter().chain(others) {
        assert_eq!(transcribe(&server, Sound::File(file), "").await, refused);
    }
    assert!(server.requests().is_empty());
    let sound = Sound::Samples(Arc::new([0; 80]));
    let failed = OutsideAnswer::Failed(OutsideFailure::Unavailable);
    assert_eq!(transcribe(&server, sound.clone(), "").await, failed);
    let nonsense = Server::start(|_| Server::ok("text/plain", b"hello")).await;
    assert_eq!(transcribe(&nonsense, sound, "").await, failed);
}
