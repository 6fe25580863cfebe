//! Speech of the embedded voice: nine languages, each in several timbres, paces and pitches.

use std::path::Path;

use espeak_ng::{BUNDLED_LANGUAGES, EspeakNg, Parameter, install_bundled_languages};
use flowswitch_media::dsp::resample::resample;
use flowswitch_media::frame::SAMPLE_RATE;

/// What is said in each language: a conversation on the telephone, with numbers in it.
pub(crate) const TEXTS: [(&str, &str); 9] = [
    (
        "en",
        "Good morning, this is Helen speaking, how may I help you? Yes, I would like to know when my order \
         arrives. The number is seven seven zero, nine four one, thirteen thirty six. One moment please, let \
         me see. It left our house on Tuesday and should be with you the day after tomorrow. Oh, you choose \
         whether we leave it with your neighbour! She sells sea shells; hooray, hello, who knew? Ooh, I see.",
    ),
    (
        "de",
        "Guten Tag, Sie sprechen mit Frau Schröder. Ich rufe wegen meiner Rechnung an, die mir gestern zugestellt \
         wurde. Da stehen siebenhundertsiebzig Euro, es müssten aber nur vierhundertvierzig sein. Einen Augenblick \
         bitte, ich schaue nach. Ach so, ja, da haben wir zwei Stühle zu viel berechnet, das tut mir leid. \
         Können Sie mir eine neue schicken? Natürlich, die geht heute noch hinaus. Tschüs, schönen Abend!",
    ),
    (
        "es",
        "Buenos días, le atiende Lucía, ¿en qué puedo ayudarle? Quisiera cambiar la fecha de mi vuelo a \
         Sevilla. ¿Me dice su número de reserva? Sí, es ocho cinco dos, uno dos cero nueve. Muy bien, hay un \
         asiento libre el jueves por la mañana y otro el viernes a las siete y media. Mejor el viernes, muchas \
         gracias. Pues ya está hecho, que tenga usted un feliz viaje.",
    ),
    (
        "fr",
        "Bonjour, vous êtes bien chez le docteur Lenoir, je vous écoute. Bonjour madame, je voudrais un \
         rendez-vous pour ma fille, elle tousse depuis lundi. Nous avons une place mercredi à quinze heures \
         trente, ou jeudi à neuf heures. Mercredi, c'est parfait. Votre numéro de téléphone, je vous prie? \
         Zéro six, soixante-dix-sept, quatre-vingt-douze, onze, trente-trois. Merci, à mercredi!",
    ),
    (
        "it",
        "Pronto, chi parla? Sono Giulia, ti chiamo per la cena di sabato. Siamo in undici, forse in dodici, e \
         manca ancora il vino. Porto io due bottiglie di rosso e una di bianco. Benissimo, allora ci vediamo \
         alle otto meno un quarto in piazza, davanti alla fontana. Se piove andiamo subito dentro. D'accordo, \
         salutami tuo zio e non dimenticare le chiavi!",
    ),
    (
        "ko",
        "여보세요, 안녕하세요. 예약을 확인하고 싶어서 전화했어요. 성함이 어떻게 되세요? 김민수입니다. 전화번호는 \
         공일공 칠칠구사 일삼삼육입니다. 잠시만 기다려 주세요. 네, 토요일 저녁 일곱 시에 네 분 예약되어 있습니다. \
         다섯 명으로 바꿀 수 있을까요? 네, 가능합니다. 감사합니다, 그럼 그때 뵙겠습니다.",
    ),
    (
        "nl",
        "Goedemiddag, u spreekt met de klantenservice. Ik heb een storing, mijn lamp knippert al drie dagen. \
         Heeft u de stekker er al eens uitgehaald? Ja, twee keer, maar het helpt niet. Dan sturen wij iemand \
         langs, schikt het u dinsdag tussen negen en elf? Liever woensdag, dan ben ik de hele dag thuis. Dat \
         is goed, ik heb het genoteerd. Hartelijk dank en een prettige dag verder.",
    ),
    (
        "pl",
        "Dzień dobry, dodzwoniłem się do biblioteki? Tak, słucham pana. Chciałbym przedłużyć książkę, którą \
         wypożyczyłem trzy tygodnie temu. Proszę podać numer karty. Siedemset siedemdziesiąt, dziewięćset \
         czterdzieści jeden. Już widzę, termin mija w czwartek, przedłużam o miesiąc. Dziękuję bardzo, życzę \
         miłego dnia i do usłyszenia.",
    ),
    (
        "pt",
        "Bom dia, fala da oficina do senhor Joaquim. O seu carro está pronto, mudámos o óleo e os dois pneus da \
         frente. Quanto é que fica? São duzentos e trinta e nove euros, com o imposto. Muito bem, passo aí às \
         cinco e meia. Olhe que fechamos às seis em ponto. Não se preocupe, venho já a caminho. Até logo, então.",
    ),
];

/// Timbre, words a minute, and pitch on a scale to 99.
pub(crate) const VOICES: [(&str, i32, i32); 14] = [
    ("", 175, 50),
    ("", 120, 20),
    ("", 240, 80),
    ("", 90, 99),
    ("+f2", 160, 60),
    ("+f2", 200, 90),
    ("+f3", 140, 50),
    ("+f4", 180, 35),
    ("+f5", 150, 75),
    ("+m1", 170, 40),
    ("+m3", 130, 25),
    ("+m4", 210, 55),
    ("+m7", 150, 10),
    ("+whisper", 160, 50),
];

/// The voices, unpacked into a directory.
pub(crate) struct Voices<'a>(&'a Path);

impl<'a> Voices<'a> {
    pub(crate) fn unpack(directory: &'a Path) -> Self {
        install_bundled_languages(directory, BUNDLED_LANGUAGES).expect("the disk has room");
        Self(directory)
    }

    /// The text of a language in one of the ways it is said, at 8 kHz.
    pub(crate) fn say(&self, language: &str, voice: (&str, i32, i32), text: &str) -> Vec<i16> {
        let (timbre, rate, pitch) = voice;
        let mut engine = EspeakNg::with_data_dir(&format!("{language}{timbre}"), self.0)
            .or_else(|_| EspeakNg::with_data_dir(language, self.0))
            .expect("the language is bundled");
        engine.set_parameter(Parameter::Rate, rate);
        engine.set_parameter(Parameter::Pitch, pitch);
        let (samples, rate) = engine.synth(text).expect("the text can be said");
        resample(&samples, rate, SAMPLE_RATE).expect("8 kHz is a rate")
    }
}
