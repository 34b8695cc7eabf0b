//! A request body as bytes: capped while it streams in, and not waited for without end.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use warp::http::StatusCode;
use warp::{Buf, Stream};

use super::answer::Answer;

/// A body that was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// It is larger than is allowed.
    #[error("The body is larger than {most} bytes.")]
    TooLarge { most: usize },
    /// It did not arrive in time.
    #[error("The body did not arrive within {} seconds.", timeout.as_secs_f32())]
    TooSlow { timeout: Duration },
    /// The connection broke, or the body is not framed as HTTP has it.
    #[error("The body broke off.")]
    Broken { source: warp::Error },
}

impl BodyError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Broken { .. } => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn answer(&self) -> Answer {
        Answer::new(self.status(), self.to_string())
    }
}

/// All of `body`, if it has at most `most` bytes and arrives within `timeout`. No length has to be
/// declared, and none that is declared is believed.
pub(super) async fn read<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>>,
    most: usize,
    timeout: Duration,
) -> Result<Vec<u8>, BodyError> {
    let reading = tokio::time::timeout(timeout, collect(body, most));
    reading.await.unwrap_or(Err(BodyError::TooSlow { timeout }))
}

async fn collect<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>>,
    most: usize,
) -> Result<Vec<u8>, BodyError> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    let mut seen = 0_usize;
    while let Some(part) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let mut part = part.map_err(|source| BodyError::Broken { source })?;
        seen = seen.saturating_add(part.remaining());
        if seen <= most {
            while part.has_remaining() {
                let chunk = part.chunk();
                bytes.extend_from_slice(chunk);
                part.advance(chunk.len());
            }
        } else if seen > most.saturating_mul(2) {
            break;
        }
        // Between once and twice the limit, we read on and keep nothing: a sender that is answered
        // while it still sends gets a reset connection instead of the answer.
    }
    if seen > most { Err(BodyError::TooLarge { most }) } else { Ok(bytes) }
}
