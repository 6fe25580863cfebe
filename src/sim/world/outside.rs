//! What stands for speech, HTTP and mail.

use std::sync::Arc;

use flowswitch_media::dsp::tone::ToneGenerator;
use flowswitch_media::prompt::Prompt;

use super::World;
use crate::switch::{OutsideAnswer, OutsideFailure, OutsideRequest, Source};

impl World {
    /// `tone HERTZ MILLISECONDS` is a tone, `wrong` cannot be made, and `never` is never answered.
    pub(super) fn fetch(&mut self, sources: &[Source]) -> Option<Option<Vec<Arc<Prompt>>>> {
        let mut prompts = Vec::new();
        for source in sources {
            let (Source::Text { text, .. } | Source::Url(text)) = source;
            match text.as_str() {
                "never" => return None,
                "wrong" => return Some(None),
                text => prompts.push(self.prompt(text)),
            }
        }
        Some(Some(prompts))
    }

    fn prompt(&mut self, text: &str) -> Arc<Prompt> {
        let made = self.prompts.entry(text.to_owned()).or_insert_with(|| {
            let numbers: Vec<u16> = text
                .split(' ')
                .filter_map(|word| word.parse().ok())
                .collect();
            let [hertz, ms] = numbers[..] else {
                panic!("not a tone: {text:?}");
            };
            let mut samples = vec![0; usize::from(ms) * 8];
            ToneGenerator::single(hertz.into(), -12.0).fill(&mut samples);
            Arc::new(Prompt::from_samples(samples))
        });
        Arc::clone(made)
    }
}

/// A world where everything outside works, nothing can be fetched, and all words are tones.
pub(super) fn answer(request: &OutsideRequest) -> Option<OutsideAnswer> {
    Some(match request {
        OutsideRequest::Fetch { .. } => OutsideAnswer::Failed(OutsideFailure::Refused),
        OutsideRequest::Webhook { .. } | OutsideRequest::Email(_) | OutsideRequest::Message(_) => {
            OutsideAnswer::Done
        }
        OutsideRequest::Transcribe { .. } => OutsideAnswer::Text("hello".to_owned()),
        OutsideRequest::Chat { .. } => OutsideAnswer::Text("tone 500 300".to_owned()),
    })
}
