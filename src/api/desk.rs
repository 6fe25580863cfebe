//! The one place where the switch's news become resources and events, in the order in which they happened.

use std::sync::Arc;

use super::Api;
use super::line::{News, NewsReceiver};

/// Takes news from the driver; one task.
#[derive(Debug)]
pub struct Desk {
    api: Arc<Api>,
    news: NewsReceiver,
}

impl Desk {
    /// A desk that has not begun.
    #[must_use]
    pub const fn new(api: Arc<Api>, news: NewsReceiver) -> Self {
        Self { api, news }
    }

    /// Runs until the driver is gone, then sees to it that all is written.
    pub async fn run(mut self) {
        while let Some(news) = self.news.next().await {
            match news {
                // Nothing that the API shows is made of reports yet.
                News::Report(_) => {}
                News::Answered { reply, result } => {
                    // Who asked waits no more when this took too long.
                    let _ = reply.send(result);
                }
            }
        }
        if let Err(error) = self.api.records.flush().await {
            tracing::warn!(%error, "what calls did last is not written yet");
        }
    }
}
