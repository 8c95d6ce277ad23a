//! Replies on HTTP/2 that their reader does not take. A stream has a window of its own: a client that never opens it holds its
//! reply's query while the rest of the connection goes on, and nobody asks the reply for more, so that no limit of the query
//! is looked at either. Such a reply is let go of, and whoever reads it later finds it cut.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// Bytes of a reply that are handed over at once: whoever takes less in the time of a limit has stalled.
const PIECE: usize = 64 << 10;

/// The replies of one connection that have not ended.
#[derive(Default)]
pub(super) struct Replies(Mutex<Vec<Weak<Mutex<Reply>>>>);

impl Replies {
    /// A body that is let go of when it is not taken.
    pub(super) fn follow(&self, body: Body, now: Instant) -> Body {
        let reply = Reply { body: Some(body), rest: Bytes::new(), waiting_since: Some(now) };
        let reply = Arc::new(Mutex::new(reply));
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followed.retain(|reply| reply.strong_count() > 0);
        followed.push(Arc::downgrade(&reply));
        Body::new(TakenBody(reply))
    }

    /// Lets go of the replies of which nothing was taken for `limit`, and says how many they are.
    pub(super) fn let_go(&self, limit: Duration, now: Instant) -> usize {
        let followed: Vec<_> = {
            let followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            followed.iter().filter_map(Weak::upgrade).collect()
        };
        // Whoever makes a reply right now is not waiting for its reader.
        let stalled: Vec<_> = followed.iter().filter_map(|reply| reply.try_lock().ok()?.give_up(limit, now)).collect();
        // With a body goes its query, and what is told of the request: no lock is held by then.
        stalled.len()
    }
}

/// A reply that is sent.
struct Reply {
    /// None once it was let go of.
    body: Option<Body>,
    /// What it gave and was not handed over yet.
    rest: Bytes,
    /// Since when it is the reader's turn; none while the next bytes are made.
    waiting_since: Option<Instant>,
}

impl Reply {
    fn give_up(&mut self, limit: Duration, now: Instant) -> Option<Body> {
        let since = self.waiting_since?;
        (now.saturating_duration_since(since) >= limit).then(|| self.body.take())?
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else {
            let late = io::Error::new(io::ErrorKind::TimedOut, "the reply was not taken in time");
            return Poll::Ready(Some(Err(axum::Error::new(late))));
        };
        if self.rest.is_empty() {
            let Poll::Ready(next) = Pin::new(body).poll_frame(context) else { return Poll::Pending };
            match next.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

struct TakenBody(Arc<Mutex<Reply>>);

impl TakenBody {
    fn reply(&self) -> MutexGuard<'_, Reply> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for TakenBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut reply = self.reply();
        let frame = reply.poll(context);
        reply.waiting_since = frame.is_ready().then(Instant::now);
        frame
    }

    fn is_end_stream(&self) -> bool {
        let reply = self.reply();
        reply.rest.is_empty() && reply.body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let reply = self.reply();
        let hint = reply.body.as_ref().map(HttpBody::size_hint).unwrap_or_default();
        hint.exact().map_or_else(SizeHint::default, |bytes| SizeHint::with_exact(bytes + reply.rest.len() as u64))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use futures::{FutureExt, StreamExt, stream};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// What a followed body gives next, if it is there.
    fn next(body: &mut axum::body::BodyDataStream) -> Option<Option<Result<usize, String>>> {
        let next = body.next().now_or_never()?;
        Some(next.map(|piece| piece.map(|bytes| bytes.len()).map_err(|error| error.to_string())))
    }

    fn later() -> Instant {
        Instant::now() + LIMIT
    }

    #[test]
    fn a_reply_that_nobody_takes_is_let_go_of_and_found_cut() {
        let replies = Replies::default();
        let body = replies.follow(Body::from_stream(stream::pending::<io::Result<Bytes>>()), Instant::now());
        // Not a byte was asked for: the window was closed from the beginning.
        assert_eq!(replies.let_go(LIMIT, Instant::now()), 0);
        assert_eq!(replies.let_go(LIMIT, later()), 1);
        assert_eq!(replies.let_go(LIMIT, later()), 0, "once");
        let mut body = body.into_data_stream();
        assert_eq!(next(&mut body), Some(Some(Err("the reply was not taken in time".into()))));
    }

    #[test]
    fn a_reply_that_is_being_made_may_take_its_time() {
        let replies = Replies::default();
        let parts = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"row"))]).chain(stream::pending());
        let mut body = replies.follow(Body::from_stream(parts), Instant::now()).into_data_stream();
        assert_eq!(next(&mut body), Some(Some(Ok(3))));
        // Now its reader is asked to take those, and has.
        assert_eq!(next(&mut body), None);
        assert_eq!(replies.let_go(LIMIT, later()), 0);
    }

    #[test]
    fn each_piece_of_a_large_part_has_its_own_time_and_none_is_lost() {
        let replies = Replies::default();
        let large = Body::from(vec![b'x'; 3 * PIECE / 2]);
        let body = replies.follow(large, Instant::now());
        assert_eq!(body.size_hint().exact(), Some(3 * PIECE as u64 / 2));
        let mut body = body.into_data_stream();
        assert_eq!(next(&mut body), Some(Some(Ok(PIECE))));
        assert_eq!(replies.let_go(LIMIT, Instant::now()), 0);
        assert_eq!(next(&mut body), Some(Some(Ok(PIECE / 2))));
        assert_eq!(next(&mut body), Some(None));
        drop(body);
        assert_eq!(replies.let_go(LIMIT, later()), 0, "what has ended waits for nobody");
    }
}
