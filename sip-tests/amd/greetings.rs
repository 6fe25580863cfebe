//! What people and machines say when they answer.

use flowswitch::flow::Gender::{self, Female, Male, Neutral};

/// One greeting, by the voice that says it.
pub(crate) struct Greeting {
    pub(crate) language: &'static str,
    pub(crate) gender: Gender,
    /// Percent of the usual pace, and semitones above the usual pitch.
    pub(crate) rate: u32,
    pub(crate) pitch: i32,
    /// Sentences; between two is a pause.
    pub(crate) text: &'static [&'static str],
    pub(crate) around: Around,
}

/// What sounds beside the words.
pub(crate) enum Around {
    Nothing,
    /// Behind the words, so many milliseconds later: hertz and milliseconds.
    Beep {
        after: u32,
        hertz: f32,
        ms: u32,
    },
    /// Music before the words.
    Music,
}

const fn say(
    language: &'static str,
    gender: Gender,
    rate: u32,
    pitch: i32,
    text: &'static [&'static str],
) -> Greeting {
    Greeting {
        language,
        gender,
        rate,
        pitch,
        text,
        around: Around::Nothing,
    }
}

impl Greeting {
    const fn beep(self, after: u32, hertz: f32, ms: u32) -> Self {
        Self {
            around: Around::Beep { after, hertz, ms },
            ..self
        }
    }

    const fn music(self) -> Self {
        Self {
            around: Around::Music,
            ..self
        }
    }
}

pub(crate) const PEOPLE: &[Greeting] = &[
    say("en-US", Male, 100, 0, &["Hello?"]),
    say("en-US", Female, 100, 0, &["Hello?"]),
    say("en-US", Neutral, 80, -3, &["Hello."]),
    say("en-GB", Female, 120, 4, &["Hello?"]),
    say("en-GB", Male, 130, -4, &["Hi!"]),
    say("en-US", Female, 90, 2, &["Hi, this is Tom."]),
    say("en-US", Male, 110, 0, &["Hi, this is Tom."]),
    say("en-US", Male, 85, -2, &["Yes?"]),
    say("en-US", Female, 115, 3, &["Yes, hello, who is this?"]),
    say("en-GB", Male, 100, 0, &["Yes, hello, who is this?"]),
    say("en-US", Male, 100, -5, &["Smith."]),
    say("en-US", Female, 100, 0, &["Anna Miller."]),
    say("en-US", Female, 105, 0, &["Good morning, Miller Plumbing."]),
    say("en-GB", Male, 110, 1, &["Good morning, this is Peter."]),
    say("en-US", Neutral, 100, 0, &["Hello, John speaking."]),
    say(
        "en-US",
        Male,
        120,
        0,
        &["Hello, this is John Baker speaking."],
    ),
    say("en-US", Female, 100, 5, &["Yeah, hi."]),
    say("en-US", Male, 95, 0, &["Hello?", "Hello?"]),
    say("en-GB", Female, 100, 0, &["Hello, who's calling please?"]),
    say("en-US", Male, 110, 2, &["Front desk, how can I help you?"]),
    say("en-US", Female, 110, 0, &["Reception, good afternoon."]),
    say("en-US", Neutral, 120, 0, &["What's up?"]),
    say("en-US", Male, 75, -4, &["Mmm, hello?"]),
    say("de", Male, 100, 0, &["Müller."]),
    say("de", Female, 100, 0, &["Hallo?"]),
    say("de", Male, 110, 0, &["Ja, bitte?"]),
    say("de", Female, 105, 2, &["Schmidt, guten Tag."]),
    say("de", Neutral, 100, 0, &["Ja, hallo, wer ist da?"]),
    say("es", Male, 100, 0, &["¿Diga?"]),
    say("es", Female, 110, 0, &["¿Hola, quién es?"]),
    say("es", Female, 90, 3, &["Sí, dígame."]),
    say("fr", Female, 100, 0, &["Allô ?"]),
    say("fr", Male, 100, 0, &["Oui, bonjour."]),
    say("fr", Male, 115, -2, &["Allô, oui, qui est à l'appareil ?"]),
    say("it", Female, 100, 0, &["Pronto?"]),
    say("it", Male, 110, 0, &["Pronto, chi parla?"]),
    say("nl", Female, 100, 0, &["Hallo, met Anna."]),
    say("pl", Male, 100, 0, &["Halo, słucham?"]),
    say("pt", Female, 100, 0, &["Alô?"]),
    say("pt", Male, 100, 0, &["Alô, quem fala?"]),
];

pub(crate) const MACHINES: &[Greeting] = &[
    say(
        "en-US",
        Female,
        100,
        0,
        &[
            "Hi, you have reached the voice mail of Tom Baker.",
            "Please leave a message after the tone.",
        ],
    )
    .beep(500, 1_000.0, 400),
    say(
        "en-US",
        Male,
        100,
        0,
        &[
            "Hello, this is Tom.",
            "I can't come to the phone right now, so leave me a message.",
        ],
    )
    .beep(700, 1_400.0, 250),
    say("en-US", Male, 115, 2, &["Hey, it's Dave, leave a message."]).beep(350, 900.0, 300),
    say(
        "en-US",
        Female,
        105,
        0,
        &["You've reached Anna, please leave a message."],
    )
    .beep(400, 440.0, 600),
    say(
        "en-US",
        Female,
        110,
        0,
        &["Leave a message after the beep."],
    )
    .beep(300, 1_000.0, 200),
    say(
        "en-US",
        Neutral,
        100,
        0,
        &["Your call has been forwarded to an automated voice messaging system."],
    ),
    say(
        "en-US",
        Female,
        90,
        0,
        &[
            "The person you are trying to reach is not available.",
            "At the tone, please record your message.",
        ],
    )
    .beep(600, 850.0, 500),
    say(
        "en-US",
        Female,
        100,
        0,
        &[
            "The number you have dialed is not in service.",
            "Please check the number and dial again.",
        ],
    ),
    say(
        "en-US",
        Male,
        95,
        -3,
        &[
            "Thank you for calling Miller Plumbing.",
            "Our office is currently closed.",
        ],
    ),
    say(
        "en-GB",
        Female,
        100,
        0,
        &[
            "Thank you for calling.",
            "All of our agents are busy.",
            "Please hold the line.",
        ],
    ),
    say(
        "en-GB",
        Male,
        100,
        0,
        &["Sorry, we are not able to take your call at the moment."],
    )
    .beep(500, 1_200.0, 300),
    say(
        "en-GB",
        Female,
        120,
        3,
        &["Hello, you've reached the Smith family, we're out, please try again later."],
    ),
    say(
        "en-GB",
        Male,
        85,
        -2,
        &[
            "Welcome to the customer service of your bank.",
            "For accounts, press one.",
        ],
    ),
    say(
        "en-US",
        Female,
        100,
        0,
        &[
            "Welcome.",
            "For English, press one.",
            "For Spanish, press two.",
        ],
    ),
    say(
        "en-US",
        Male,
        100,
        0,
        &["This call may be recorded for quality and training purposes."],
    ),
    say(
        "en-US",
        Neutral,
        80,
        -4,
        &[
            "Hello.",
            "Please leave your name and your number after the signal.",
        ],
    )
    .beep(400, 1_000.0, 300),
    say(
        "en-US",
        Female,
        100,
        0,
        &["Hello, we can not answer your call now."],
    )
    .beep(450, 620.0, 400),
    say(
        "en-US",
        Male,
        130,
        0,
        &["Hi, this is Mike, I'm on vacation until Monday, in urgent cases please call my office."],
    ),
    say(
        "en-US",
        Female,
        100,
        0,
        &["Thank you for calling, an agent will be with you shortly."],
    )
    .music(),
    say("en-US", Male, 100, 0, &["You are the next in the queue."]).music(),
    say(
        "de",
        Female,
        100,
        0,
        &[
            "Hier ist der Anschluss von Familie Müller.",
            "Bitte sprechen Sie nach dem Ton.",
        ],
    )
    .beep(500, 1_000.0, 500),
    say(
        "de",
        Male,
        105,
        0,
        &[
            "Guten Tag, Sie haben die Firma Schmidt erreicht, leider rufen Sie außerhalb unserer Geschäftszeiten an.",
        ],
    ),
    say(
        "de",
        Female,
        100,
        0,
        &["Der gewünschte Gesprächspartner ist zurzeit nicht erreichbar."],
    ),
    say(
        "de",
        Neutral,
        100,
        0,
        &["Die gewählte Rufnummer ist uns nicht bekannt."],
    ),
    say(
        "de",
        Male,
        110,
        0,
        &["Mailbox von Peter, bitte Nachricht hinterlassen."],
    )
    .beep(400, 1_400.0, 200),
    say(
        "es",
        Female,
        100,
        0,
        &[
            "El número que usted ha marcado no está disponible.",
            "Por favor, deje su mensaje.",
        ],
    )
    .beep(500, 950.0, 300),
    say(
        "es",
        Male,
        110,
        0,
        &["Hola, soy Juan, ahora no puedo atender, deja tu mensaje después de la señal."],
    ),
    say(
        "fr",
        Female,
        100,
        0,
        &[
            "Bonjour, vous êtes bien sur la messagerie de Marie.",
            "Laissez un message après le bip.",
        ],
    )
    .beep(400, 1_000.0, 400),
    say(
        "fr",
        Male,
        100,
        0,
        &["Le numéro que vous avez demandé n'est pas attribué."],
    ),
    say(
        "it",
        Female,
        100,
        0,
        &["Il cliente da lei chiamato non è al momento raggiungibile."],
    ),
    say(
        "it",
        Male,
        110,
        0,
        &["Ciao, sono Marco, lasciate un messaggio dopo il segnale acustico."],
    )
    .beep(400, 1_100.0, 300),
    say(
        "nl",
        Female,
        100,
        0,
        &["U bent verbonden met de voicemail van Anna de Vries."],
    )
    .beep(600, 1_000.0, 300),
    say(
        "pl",
        Female,
        100,
        0,
        &["Abonent jest czasowo niedostępny, proszę spróbować później."],
    ),
    say(
        "pt",
        Female,
        100,
        0,
        &["A pessoa para quem você ligou não está disponível, deixe o seu recado."],
    )
    .beep(500, 1_000.0, 350),
    say(
        "pt",
        Male,
        100,
        0,
        &["Olá, no momento não posso atender, por favor ligue mais tarde."],
    ),
    // A machine without a greeting.
    say("en-US", Male, 100, 0, &[]).beep(1_200, 1_000.0, 500),
    say("en-US", Male, 100, 0, &[]).beep(800, 1_400.0, 300),
    // One that says nothing at all, and a fax machine.
    say("en-US", Male, 100, 0, &[]),
    say("en-US", Male, 100, 0, &[]).beep(1_500, 2_100.0, 2_600),
    say("en-US", Female, 100, 0, &["Please hold."]).music(),
];
