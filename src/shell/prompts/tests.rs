use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::flow::Gender;

/// Prompts over a flows directory of their own, which may reach loopback.
struct Fixture {
    home: TempDir,
    prompts: Prompts,
}

impl Fixture {
    fn new() -> Self {
        // A program is looked for only when something is said.
        Self::speaking(SpeechConfig::Program {
            program: "/nowhere/espeak-ng".into(),
        })
    }

    fn speaking(speech: SpeechConfig) -> Self {
        Self::with(speech, PromptLimits::default())
    }

    fn with(speech: SpeechConfig, limits: PromptLimits) -> Self {
        let home = tempfile::tempdir().unwrap();
        let prompts = Prompts::new(PromptsConfig {
            flows_dir: home.path().to_owned(),
            data_dir: home.path().join("data"),
            speech,
            outbound: OutboundPolicy {
                allow: vec!["127.0.0.1".parse().unwrap()],
            },
            limits,
        });
        Self {
            home,
            prompts: prompts.unwrap(),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.home.path().join(name), bytes).unwrap();
    }

    async fn url(&self, url: &str) -> Result<Arc<Prompt>, PromptError> {
        self.prompts.load(&Source::Url(url.into())).await
    }

    #[cfg(feature = "speech")]
    async fn text(&self, text: &str) -> Result<Arc<Prompt>, PromptError> {
        let source = Source::Text {
            text: text.into(),
            language: "en-US".into(),
            gender: Gender::Female,
        };
        self.prompts.load(&source).await
    }
}

/// A WAV file of `samples` at 8 kHz whose data claims to be `claimed` octets.
fn wav_claiming(samples: usize, claimed: u32) -> Vec<u8> {
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&claimed.saturating_add(36).to_le_bytes());
    wav.extend_from_slice(
        b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data",
    );
    wav.extend_from_slice(&claimed.to_le_bytes());
    for n in 0..samples {
        wav.extend_from_slice(&((n % 100) as i16 * 50).to_le_bytes());
    }
    wav
}

fn wav(samples: usize) -> Vec<u8> {
    wav_claiming(samples, 2 * samples as u32)
}

fn length(prompt: &Prompt) -> usize {
    prompt.samples().len()
}

/// A server of one WAV file that counts how often it is asked, refuses the first `refusals` times, and
/// takes 50 ms to answer.
async fn serve(cache_control: &'static str, refusals: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/sound", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let before = count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            let (status, body) = if before < refusals {
                ("503 No", Vec::new())
            } else {
                ("200 OK", wav(800))
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: audio/x-wav\r\nCache-Control: {cache_control}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn a_name_is_a_file_of_the_flows_directory_and_a_changed_file_is_read_again() {
    let fixture = Fixture::new();
    fixture.write("menu.wav", &wav(800));
    let first = fixture.url("menu.wav").await.unwrap();
    assert_eq!(length(&first), 800);
    assert!(Arc::ptr_eq(
        &first,
        &fixture.url("file:menu.wav").await.unwrap()
    ));
    assert!(Arc::ptr_eq(
        &first,
        &fixture.url(" ./menu.wav ").await.unwrap()
    ));
    fixture.write("menu.wav", &wav(1600));
    assert_eq!(length(&fixture.url("menu.wav").await.unwrap()), 1600);
}

#[tokio::test]
async fn nothing_but_files_and_http_is_played() {
    let fixture = Fixture::new();
    for (url, expected) in [
        ("data:audio/wav;base64,UklGRg==", PromptError::Scheme),
        ("ftp://127.0.0.1/a.wav", PromptError::Scheme),
        ("c:\\a.wav", PromptError::Scheme),
        ("../a.wav", PromptError::Outside),
        ("file:../a.wav", PromptError::Outside),
        ("file:///etc/passwd", PromptError::Outside),
        ("FILE:/etc/passwd", PromptError::Outside),
        ("//127.0.0.1/a.wav", PromptError::Outside),
        (
            "missing.wav",
            PromptError::Unreadable {
                kind: io::ErrorKind::NotFound,
            },
        ),
        ("http://", PromptError::Fetch(FetchError::Url)),
        (
            "HTTP://[::1]/",
            PromptError::Fetch(FetchError::Refused {
                address: "::1".parse().unwrap(),
            }),
        ),
    ] {
        assert_eq!(fixture.url(url).await, Err(expected), "{url}");
    }
}

#[tokio::test]
async fn a_file_that_lies_about_its_length_is_played_and_noise_is_refused() {
    let fixture = Fixture::new();
    for (name, claimed) in [("more.wav", 0x7fff_f000), ("all.wav", u32::MAX)] {
        fixture.write(name, &wav_claiming(800, claimed));
        assert_eq!(length(&fixture.url(name).await.unwrap()), 800, "{name}");
    }
    let mut rng = crate::ids::Rng::from_number(7);
    let noise: Vec<u8> = (0..200_000).map(|_| rng.next_u32() as u8).collect();
    fixture.write("text.wav", b"RIFF, but not really");
    fixture.write("empty.mp3", b"");
    for name in ["text.wav", "empty.mp3"] {
        let refused = fixture.url(name).await;
        assert!(
            matches!(refused, Err(PromptError::Sound(_))),
            "{name}: {refused:?}"
        );
    }
    for name in ["noise.mp3", "noise.wav", "noise"] {
        fixture.write(name, &noise);
        let outcome = fixture.url(name).await;
        let is_clear = match &outcome {
            Ok(prompt) => length(prompt) <= 600 * 8000,
            Err(error) => matches!(error, PromptError::Sound(_)),
        };
        assert!(
            is_clear,
            "{name}: {:?}",
            outcome.map(|prompt| length(&prompt))
        );
    }
}

#[tokio::test]
async fn a_file_larger_than_allowed_is_refused() {
    let limits = PromptLimits {
        file_bytes: 1000,
        ..PromptLimits::default()
    };
    let program = "/nowhere/espeak-ng".into();
    let fixture = Fixture::with(SpeechConfig::Program { program }, limits);
    fixture.write("large.wav", &wav(800));
    assert_eq!(
        fixture.url("large.wav").await,
        Err(PromptError::TooLarge { limit: 1000 })
    );
}

#[tokio::test]
async fn a_hundred_calls_that_want_one_url_ask_its_server_once() {
    let fixture = Fixture::new();
    let (url, asked) = serve("max-age=60", 0).await;
    let loads = (0..100).map(|_| fixture.url(&url));
    let loaded = futures_util::future::join_all(loads).await;
    let first = loaded[0].clone().unwrap();
    assert!(
        loaded
            .into_iter()
            .all(|prompt| Arc::ptr_eq(&prompt.unwrap(), &first))
    );
    assert!(Arc::ptr_eq(&fixture.url(&url).await.unwrap(), &first));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(length(&first), 800);
}

#[tokio::test]
async fn what_must_not_be_kept_is_asked_for_again_and_so_is_what_failed() {
    let fixture = Fixture::new();
    let (url, asked) = serve("no-store", 1).await;
    assert_eq!(
        fixture.url(&url).await,
        Err(PromptError::Fetch(FetchError::Status { code: 503 }))
    );
    fixture.url(&url).await.unwrap();
    fixture.url(&url).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

/// A server of one WAV file that knows whether it has changed: until `changes` it is the same, then another, and
/// after `fails` requests there is no answer. Tells the statuses it gave.
async fn serve_by_tag(changes: usize, fails: usize) -> (String, Arc<Mutex<Vec<u16>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/sound.wav", listener.local_addr().unwrap());
    let told = Arc::new(Mutex::new(Vec::new()));
    let statuses = Arc::clone(&told);
    tokio::spawn(async move {
        for asked in 0.. {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let mut request = vec![0; 4096];
            let len = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..len]).to_ascii_lowercase();
            let (tag, samples) = if asked < changes {
                ("one", 800)
            } else {
                ("two", 1_600)
            };
            let is_known = request.contains(&format!("if-none-match: \"{tag}\""));
            let (status, body) = match is_known {
                _ if asked >= fails => (503, Vec::new()),
                true => (304, Vec::new()),
                false => (200, wav(samples)),
            };
            statuses.lock().unwrap().push(status);
            let head = format!(
                "HTTP/1.1 {status} X\r\nETag: \"{tag}\"\r\nCache-Control: max-age=0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
    });
    (url, told)
}

#[tokio::test]
async fn what_is_no_longer_fresh_is_sent_again_only_when_it_has_changed() {
    let fixture = Fixture::new();
    let (url, told) = serve_by_tag(2, usize::MAX).await;
    let first = fixture.url(&url).await.unwrap();
    let same = fixture.url(&url).await.unwrap();
    assert!(Arc::ptr_eq(&first, &same), "decoded once");
    let other = fixture.url(&url).await.unwrap();
    assert_eq!((length(&first), length(&other)), (800, 1_600));
    assert_eq!(*told.lock().unwrap(), [200, 304, 200]);
}

#[tokio::test]
async fn while_a_server_fails_what_it_gave_last_is_played() {
    let fixture = Fixture::new();
    let (url, told) = serve_by_tag(usize::MAX, 1).await;
    let first = fixture.url(&url).await.unwrap();
    for _ in 0..3 {
        assert!(Arc::ptr_eq(&first, &fixture.url(&url).await.unwrap()));
    }
    // It is left alone for a minute.
    assert_eq!(*told.lock().unwrap(), [200, 503]);
}

#[tokio::test]
async fn a_text_that_plays_one_long_file_over_and_over_is_cut() {
    let limits = PromptLimits {
        length: Duration::from_secs(15),
        ..PromptLimits::default()
    };
    let program = "/nowhere/espeak-ng".into();
    let fixture = Fixture::with(SpeechConfig::Program { program }, limits);
    fixture.write("long.wav", &wav(8000 * 10));
    let source = Source::Text {
        text: format!("<speak>{}</speak>", "<audio src='long.wav'/>".repeat(400)),
        language: "en-US".into(),
        gender: Gender::Neutral,
    };
    let prompt = fixture.prompts.load(&source).await.unwrap();
    assert_eq!(length(&prompt), 8000 * 15);
}

#[cfg(feature = "speech")]
#[tokio::test]
async fn a_text_full_of_servers_that_never_answer_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = PromptLimits {
        patience: Duration::from_millis(300),
        ..PromptLimits::default()
    };
    let fixture = Fixture::with(SpeechConfig::Embedded, limits);
    let audio = |n: usize| format!("<audio src='http://{address}/{n}'/>");
    let text: String = (0..200).map(audio).collect();
    let given_up = fixture.text(&format!("<speak>{text}</speak>")).await;
    assert_eq!(given_up, Err(PromptError::TimedOut));
}

#[tokio::test]
async fn the_cache_stays_within_its_octets() {
    let limits = PromptLimits {
        cache_bytes: 10 * 4 * 8000,
        ..PromptLimits::default()
    };
    let program = "/nowhere/espeak-ng".into();
    let fixture = Fixture::with(SpeechConfig::Program { program }, limits);
    for n in 0..50 {
        let name = format!("{n}.wav");
        fixture.write(&name, &wav(8000));
        fixture.url(&name).await.unwrap();
    }
    fixture.prompts.cache.run_pending_tasks().await;
    assert!(fixture.prompts.cache.weighted_size() <= limits.cache_bytes);
    assert!(fixture.prompts.cache.entry_count() >= 8);
}

#[cfg(feature = "speech")]
#[tokio::test]
async fn the_same_words_are_spoken_once_and_other_words_differently() {
    let fixture = Fixture::speaking(SpeechConfig::Embedded);
    let one = fixture.text("Hello, World!").await.unwrap();
    assert!(length(&one) > 4000);
    assert!(Arc::ptr_eq(
        &one,
        &fixture.text("Hello, World!").await.unwrap()
    ));
    assert!(Arc::ptr_eq(
        &one,
        &fixture.text("<speak>Hello,  World!</speak>").await.unwrap()
    ));
    assert_ne!(one, fixture.text("Goodbye, World!").await.unwrap());
    assert_eq!(length(&fixture.text("").await.unwrap()), 0);
}

#[cfg(feature = "speech")]
#[tokio::test]
async fn sound_files_of_ssml_are_played_and_replaced_by_their_words_when_they_fail() {
    let fixture = Fixture::speaking(SpeechConfig::Embedded);
    fixture.write("ring.wav", &wav(800));
    let hello = length(&fixture.text("Hello").await.unwrap());
    let sorry = length(&fixture.text("Sorry").await.unwrap());
    for (ssml, expected) in [
        (
            "<speak>Hello<audio src=\"ring.wav\">Sorry</audio><break time=\"1s\"/></speak>",
            hello + 800 + 8000,
        ),
        (
            "<speak>Hello<audio src=\"gone.wav\">Sorry</audio></speak>",
            hello + sorry,
        ),
        (
            "<speak>Hello<audio src=\"gone.wav\"><audio src=\"ring.wav\"/></audio></speak>",
            hello + 800,
        ),
        (
            "<speak>Hello<audio src=\"http://169.254.169.254/\">Sorry</audio></speak>",
            hello + sorry,
        ),
        ("<speak>Hello<audio src=\"gone.wav\"/></speak>", hello),
        ("<speak>Hello<audio src=\"ring.wav\"></speak>", hello),
    ] {
        assert_eq!(
            length(&fixture.text(ssml).await.unwrap()),
            expected,
            "{ssml}"
        );
    }
}
