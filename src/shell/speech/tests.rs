use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::script::{Pitch, Prosody, Rate, Voice};
use super::*;
use crate::flow::Gender;
use crate::shell::fetch::{ApiKey, ProviderConfig};

const LONGEST: Duration = Duration::from_secs(60);

/// An engine whose data lies in `home`.
fn speech(home: &TempDir, config: SpeechConfig) -> Speech {
    Speech::new(config, home.path(), LONGEST, &Workers::new()).unwrap()
}

fn utterance(text: &str, language: &str, gender: Gender, prosody: Prosody) -> Segment {
    Segment::Speech(Utterance {
        text: text.into(),
        voice: Voice {
            language: language.into(),
            gender,
        },
        prosody,
    })
}

fn plain(text: &str) -> Segment {
    utterance(text, "en-US", Gender::Neutral, Prosody::default())
}

fn paced(factor: f32) -> Segment {
    let prosody = Prosody {
        rate: Rate::from_factor(factor),
        ..Prosody::default()
    };
    utterance("Thank you for calling.", "en-US", Gender::Neutral, prosody)
}

fn pitched(gender: Gender, semitones: f32) -> Segment {
    let prosody = Prosody {
        pitch: Pitch::from_semitones(semitones),
        ..Prosody::default()
    };
    utterance(
        "Our menu has never moved a mile away.",
        "en-US",
        gender,
        prosody,
    )
}

fn seconds(samples: &[i16]) -> f32 {
    samples.len() as f32 / SAMPLE_RATE as f32
}

fn dbov(samples: &[i16]) -> f32 {
    let energy: f32 = samples
        .iter()
        .map(|sample| f32::from(*sample).powi(2))
        .sum();
    20.0 * ((energy / samples.len() as f32).sqrt() / 32768.0).log10()
}

/// Median fundamental of the voiced blocks, by normalised autocorrelation between 60 and 400 Hz.
fn fundamental(samples: &[i16]) -> f32 {
    let (shortest, longest) = (SAMPLE_RATE as usize / 400, SAMPLE_RATE as usize / 60);
    let mut found = Vec::new();
    for block in samples.windows(2 * longest).step_by(80) {
        let block: Vec<f32> = block.iter().map(|sample| f32::from(*sample)).collect();
        let energy = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>();
        let head = &block[..longest];
        if energy(head) < longest as f32 * 1000.0 * 1000.0 {
            continue;
        }
        let likeness = |lag: usize| {
            let tail = &block[lag..lag + longest];
            let product: f32 = head.iter().zip(tail).map(|(one, other)| one * other).sum();
            product / (energy(head) * energy(tail)).sqrt().max(1.0)
        };
        let all: Vec<f32> = (shortest..=longest).map(likeness).collect();
        let best = all.iter().copied().fold(0.0, f32::max);
        // The first lag that is nearly the best is the period and not a multiple of it; it has to be a
        // peak, for a low tone is like itself at every short lag.
        let is_peak = |at: usize| all[at] >= all[at - 1] && all[at] >= all[at + 1];
        let period = (1..all.len() - 1).find(|at| all[*at] > 0.9 * best && is_peak(*at));
        if let (Some(at), true) = (period, best > 0.7) {
            found.push(SAMPLE_RATE as f32 / (shortest + at) as f32);
        }
    }
    found.sort_by(f32::total_cmp);
    assert!(found.len() > 20, "hardly a voiced block");
    found[found.len() / 2]
}

/// What holds for every engine of the eSpeak family.
async fn speaks_as_it_is_told(speech: &Speech) {
    let words = speech.render(&[paced(1.0)]).await.unwrap();
    assert!(
        (0.8..3.0).contains(&seconds(&words)),
        "{} s",
        seconds(&words)
    );
    assert!(
        (-23.0..-15.0).contains(&dbov(&words)),
        "{} dBov",
        dbov(&words)
    );

    let slow = speech.render(&[paced(0.6)]).await.unwrap();
    let fast = speech.render(&[paced(1.6)]).await.unwrap();
    assert!(slow.len() as f32 > 1.3 * words.len() as f32);
    assert!((fast.len() as f32) < 0.8 * words.len() as f32);

    let pause = Segment::Silence(Duration::from_millis(1500));
    let broken = speech
        .render(&[paced(1.0), pause, paced(1.0)])
        .await
        .unwrap();
    assert_eq!(broken.len(), 2 * words.len() + 12_000);
    assert!(
        broken[words.len()..words.len() + 12_000]
            .iter()
            .all(|sample| *sample == 0)
    );

    let female = fundamental(
        &speech
            .render(&[pitched(Gender::Female, 0.0)])
            .await
            .unwrap(),
    );
    let male = fundamental(&speech.render(&[pitched(Gender::Male, 0.0)]).await.unwrap());
    let high = fundamental(&speech.render(&[pitched(Gender::Male, 6.0)]).await.unwrap());
    println!("female {female} Hz, male {male} Hz, male six semitones higher {high} Hz");
    assert!(female > 1.25 * male, "female {female} Hz, male {male} Hz");
    assert!(
        (1.3..1.55).contains(&(high / male)),
        "higher {high} Hz, male {male} Hz"
    );

    let english = speech.render(&[plain("hello")]).await.unwrap();
    for language in ["xx", "", "../../etc/passwd", "-h"] {
        let hello = utterance("hello", language, Gender::Neutral, Prosody::default());
        assert_eq!(
            speech.render(&[hello]).await.unwrap(),
            english,
            "{language:?}"
        );
    }
}

#[cfg(feature = "speech")]
#[tokio::test]
async fn the_embedded_voice_speaks_as_it_is_told() {
    let home = tempfile::tempdir().unwrap();
    speaks_as_it_is_told(&speech(&home, SpeechConfig::Embedded)).await;
}

#[cfg(feature = "speech")]
#[tokio::test]
async fn every_bundled_language_speaks_in_its_own_way() {
    let home = tempfile::tempdir().unwrap();
    let speech = speech(&home, SpeechConfig::Embedded);
    let mut heard = vec![speech.render(&[plain("Information")]).await.unwrap()];
    for language in [
        "de-AT", "es-MX", "fr-FR", "it-IT", "nl-NL", "pl-PL", "pt-BR",
    ] {
        let words = utterance("Information", language, Gender::Neutral, Prosody::default());
        let samples = speech.render(&[words]).await.unwrap();
        assert!(!heard.contains(&samples), "{language} sounds like another");
        heard.push(samples);
    }
    let korean = utterance("안녕하세요", "ko-KR", Gender::Female, Prosody::default());
    assert!(seconds(&speech.render(&[korean]).await.unwrap()) > 0.5);
}

#[cfg(feature = "speech")]
#[tokio::test]
async fn no_text_stops_the_embedded_voice() {
    let home = tempfile::tempdir().unwrap();
    let speech = speech(&home, SpeechConfig::Embedded);
    for text in [
        "a".repeat(2_000),
        "9".repeat(100),
        "é".repeat(1_000),
        "1.2.3.4.5,6,7;8:9".repeat(100),
        "\u{202e}\u{1F600}\u{FFFD}\u{10FFFF} ok".into(),
        "مرحبا שלום 你好 привет नमस्ते".into(),
        "&<>\"'`$(reboot)%s%n\\u0000 [[x]]".into(),
    ] {
        let text = script::clean(&text);
        for language in ["en-US", "ko", "de"] {
            let said = utterance(&text, language, Gender::Female, Prosody::default());
            let samples = speech.render(&[said]).await.unwrap();
            assert!(samples.len() <= samples_of(LONGEST));
        }
    }
}

#[cfg(feature = "speech")]
#[tokio::test]
async fn a_script_longer_than_allowed_loses_its_end() {
    let home = tempfile::tempdir().unwrap();
    let speech = speech(&home, SpeechConfig::Embedded);
    let pause = Segment::Silence(Duration::from_secs(50));
    let samples = speech
        .render(&[pause.clone(), plain("one"), pause.clone(), pause])
        .await;
    assert_eq!(samples.unwrap().len(), samples_of(LONGEST));
}

#[tokio::test]
async fn the_espeak_ng_program_speaks_as_it_is_told() {
    let home = tempfile::tempdir().unwrap();
    let config = SpeechConfig::Program {
        program: "espeak-ng".into(),
    };
    let speech = speech(&home, config);
    match speech.render(&[plain("hello")]).await {
        Err(SpeechError::Program {
            kind: io::ErrorKind::NotFound,
            ..
        }) => {
            println!("skipped: espeak-ng is not installed");
        }
        _ => speaks_as_it_is_told(&speech).await,
    }
}

#[tokio::test]
async fn a_program_that_is_missing_or_fails_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let program = |program: &str| {
        let program = program.into();
        speech(&home, SpeechConfig::Program { program })
    };
    let missing = program("/nowhere/espeak-ng")
        .render(&[plain("hello")])
        .await;
    assert!(matches!(missing, Err(SpeechError::Program { .. })));
    let failing = program("false").render(&[plain("hello")]).await;
    assert_eq!(failing, Err(SpeechError::Engine));
    let silent = program("true").render(&[plain("hello")]).await;
    assert_eq!(silent, Err(SpeechError::Undecodable));
}

#[tokio::test]
async fn a_speech_server_is_asked_as_openai_is_and_its_wav_is_heard() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            request.push(stream.read_u8().await.unwrap());
        }
        let wav = wav(24_000, 24_000);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", wav.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&wav).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    let mut config = HttpVoiceConfig::new(ProviderConfig {
        url: format!("http://{address}/v1/audio/speech"),
        key: Some(ApiKey::from("secret".to_owned())),
    });
    config.model = "model".into();
    assert!(!format!("{config:?}").contains("secret"));
    let prosody = Prosody {
        rate: Rate::from_factor(1.5),
        ..Prosody::default()
    };
    let words = utterance("say \"hi\"", "en", Gender::Female, prosody);
    let home = tempfile::tempdir().unwrap();
    let samples = speech(&home, SpeechConfig::Http(config))
        .render(&[words])
        .await
        .unwrap();
    assert!((0.99..1.01).contains(&seconds(&samples)));
    assert!(
        (-19.0..-17.0).contains(&dbov(&samples)),
        "{} dBov",
        dbov(&samples)
    );

    let request = server.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/audio/speech HTTP/1.1\r\n"));
    assert!(
        head.to_ascii_lowercase()
            .contains("authorization: bearer secret")
    );
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "model": "model", "input": "say \"hi\"", "voice": "nova", "response_format": "wav", "speed": 1.5,
        })
    );
}

#[tokio::test]
async fn a_speech_server_that_refuses_or_talks_nonsense_is_an_error() {
    for (answer, expected) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            SpeechError::Server(FetchError::Status { code: 401 }),
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
            SpeechError::Server(FetchError::Status { code: 302 }),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nnoise",
            SpeechError::Undecodable,
        ),
    ] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let config = HttpVoiceConfig::new(ProviderConfig {
            url: format!("http://{address}/"),
            key: None,
        });
        let home = tempfile::tempdir().unwrap();
        let said = speech(&home, SpeechConfig::Http(config))
            .render(&[plain("hello")])
            .await;
        assert_eq!(said, Err(expected));
    }
}

/// A WAV file of a 440 Hz tone, 16 bits, mono.
fn wav(rate: u32, samples: u32) -> Vec<u8> {
    let octets = samples * 2;
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + octets).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&(rate * 2).to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&octets.to_le_bytes());
    for n in 0..samples {
        let sample = (8_000.0 * (TAU * 440.0 * n as f32 / rate as f32).sin()) as i16;
        wav.extend_from_slice(&sample.to_le_bytes());
    }
    wav
}
