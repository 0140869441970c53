//! A client that follows events: told each as it happens, until it leaves or nothing more can come.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};

use crate::events::{Follower, Next};
use crate::wire::{Kind, encode};

/// Tells events until one of both sides has enough. A client that does not fetch them keeps nobody else waiting, and
/// costs no more than what is under way: it misses what the ring drops meanwhile, and is told so.
pub(super) async fn serve(mut stream: UnixStream, follower: Follower) -> io::Result<()> {
    let (from_client, to_client) = stream.split();
    let served = tokio::select! {
        left = until_it_leaves(from_client) => left,
        told = tell(to_client, follower) => told,
    };
    match served {
        // It left in the middle of an event.
        Err(error) if is_gone(&error) => Ok(()),
        served => served,
    }
}

/// Nothing that it says means anything here.
async fn until_it_leaves(mut client: ReadHalf<'_>) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while client.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn tell(mut client: WriteHalf<'_>, mut follower: Follower) -> io::Result<()> {
    loop {
        match follower.next().await {
            Next::Events(events) => {
                let mut frames = Vec::new();
                for event in &events {
                    frames.extend_from_slice(&encode(Kind::Event, &serde_json::to_vec(event)?));
                }
                client.write_all(&frames).await?;
            }
            Next::Over => return client.write_all(&encode(Kind::Event, b"")).await,
            Next::Closed => return Ok(()),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use session_core::{SessionId, Timestamp};

    use super::*;
    use crate::events::{Event, Happening, Hub};
    use crate::wire::Decoder;

    /// Nothing here takes longer.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn hub(room: usize) -> Arc<Hub> {
        Hub::with_room(7, room, Arc::new(|| Timestamp::from_millis(5)))
    }

    fn publish(hub: &Hub) {
        let session = SessionId::from_parts(Timestamp::from_millis(1), 1);
        hub.publish(session, Happening::title(Some("one of many")));
    }

    fn in_a_reactor(work: impl Future<Output = ()>) {
        let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        reactor.block_on(async { tokio::time::timeout(PATIENCE, work).await.unwrap() });
    }

    /// The next event; `None` after the last.
    async fn next(stream: &mut UnixStream, decoder: &mut Decoder) -> Option<Event> {
        let mut buffer = vec![0; 4096];
        loop {
            if let Some(frame) = decoder.next().unwrap() {
                assert_eq!(frame.kind, Kind::Event);
                return (!frame.payload.is_empty())
                    .then(|| serde_json::from_slice(&frame.payload).unwrap());
            }
            match stream.read(&mut buffer).await.unwrap() {
                0 => return None,
                len => decoder.push(&buffer[..len]),
            }
        }
    }

    #[test]
    fn a_slow_reader_is_told_what_it_missed_and_goes_on() {
        in_a_reactor(async {
            const PUBLISHED: u64 = 20_000;
            let hub = hub(16);
            let (ours, mut client) = UnixStream::pair().unwrap();
            let follower = hub.follow(None, None, || true).unwrap();
            let task = tokio::spawn(serve(ours, follower));
            for _ in 0..PUBLISHED {
                publish(&hub);
                // The client does not read: the socket is full before long.
                tokio::task::yield_now().await;
            }
            let (mut decoder, mut heard, mut left_out) = (Decoder::default(), 0, 0);
            while heard + left_out < PUBLISHED {
                let event = next(&mut client, &mut decoder).await.unwrap();
                match event.happening {
                    Happening::Gap { missed } => left_out += missed.unwrap(),
                    _ => heard += 1,
                }
                let place = format!("{:016x}.{}", 7, heard + left_out);
                assert_eq!(event.cursor.to_string(), place, "in order, each once");
            }
            assert!(left_out > 0, "the socket held everything");
            // From here on it is told everything again.
            publish(&hub);
            let event = next(&mut client, &mut decoder).await.unwrap();
            assert_eq!(event.happening.kind(), "title");
            drop(client);
            task.await.unwrap().unwrap();
        });
    }

    #[test]
    fn the_last_event_is_followed_by_an_empty_one() {
        in_a_reactor(async {
            let hub = hub(16);
            publish(&hub);
            let (ours, mut client) = UnixStream::pair().unwrap();
            let follower = hub.follow(None, None, || false).unwrap();
            serve(ours, follower).await.unwrap();
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.unwrap();
            assert!(all.ends_with(&[0x27, 0, 0, 0, 0]), "{all:?}");
            let mut decoder = Decoder::default();
            decoder.push(&all);
            assert!(next(&mut client, &mut decoder).await.is_some());
            assert!(next(&mut client, &mut decoder).await.is_none());
        });
    }

    #[test]
    fn a_client_that_leaves_is_not_waited_for() {
        in_a_reactor(async {
            let hub = hub(16);
            let (ours, client) = UnixStream::pair().unwrap();
            let follower = hub.follow(None, None, || true).unwrap();
            let task = tokio::spawn(serve(ours, follower));
            drop(client);
            task.await.unwrap().unwrap();
        });
    }
}
