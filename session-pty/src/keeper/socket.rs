//! Packets with descriptors over the socket between the keeper and its supervisor.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::packet::LARGEST;

/// What came.
#[derive(Debug)]
pub(super) enum Incoming {
    /// Something, whatever it means.
    Packet(Received),
    /// The other side has closed its end.
    Gone,
}

/// A packet as it came, with its descriptors, which are closed when nobody takes them.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
    /// More descriptors came along than there was room for, or than this process may have.
    pub(super) lost_fds: bool,
}

/// The most descriptors that a packet of ours has.
const MOST_FDS: usize = 3;

/// Two ends, closed in programs that either side executes.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    Ok(rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?)
}

/// Whether the descriptor is such an end.
pub(super) fn is_end(fd: impl AsFd) -> bool {
    use rustix::net::sockopt::{socket_domain, socket_type};
    socket_domain(&fd) == Ok(AddressFamily::UNIX) && socket_type(&fd) == Ok(SocketType::SEQPACKET)
}

/// Sends a packet, whole or not at all; `flags` say whether to wait for room.
pub(super) fn send(
    socket: impl AsFd,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    let flags = flags | SendFlags::NOSIGNAL;
    let sent = || rustix::net::sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, flags);
    rustix::io::retry_on_intr(sent).map(drop)
}

/// Receives a packet; `flags` say whether to wait for one.
pub(super) fn receive(socket: impl AsFd, flags: RecvFlags) -> Result<Incoming, Errno> {
    // One byte more, to tell a packet that is too long, which then has no meaning, from one that is not.
    let mut bytes = vec![0; LARGEST + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)
    })?;
    let fds: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    // An empty packet looks like the end.
    if received.bytes == 0 && fds.is_empty() && has_hung_up(&socket) {
        return Ok(Incoming::Gone);
    }
    bytes.truncate(received.bytes);
    let lost_fds = received.flags.contains(ReturnFlags::CTRUNC);
    Ok(Incoming::Packet(Received { bytes, fds, lost_fds }))
}

/// Waits until there is something to receive; false when nothing comes by the deadline.
pub(super) fn wait(socket: impl AsFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = timespec(deadline.saturating_duration_since(Instant::now()));
        let mut fds = [PollFd::new(&socket, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A time span as `poll` takes it.
pub(super) fn timespec(span: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    }
}

fn has_hung_up(socket: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&socket, PollFlags::IN)];
    let asked = rustix::event::poll(&mut fds, Some(&timespec(Duration::ZERO)));
    asked.is_err() || fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &OwnedFd) -> Received {
        let Incoming::Packet(received) = receive(socket, RecvFlags::DONTWAIT).unwrap() else {
            panic!("the end")
        };
        received
    }

    #[test]
    fn an_empty_packet_is_not_the_end() {
        let (here, there) = pair().unwrap();
        assert!(is_end(&here) && !is_end(std::fs::File::open("/dev/null").unwrap()));
        send(&there, &[], &[], SendFlags::empty()).unwrap();
        assert!(received(&here).bytes.is_empty());
        assert_eq!(receive(&here, RecvFlags::DONTWAIT).unwrap_err(), Errno::AGAIN);
        drop(there);
        assert!(matches!(receive(&here, RecvFlags::DONTWAIT), Ok(Incoming::Gone)));
    }

    #[test]
    fn descriptors_beyond_those_that_a_packet_has_are_closed() {
        let (here, there) = pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let fds = [writer.as_fd(); 20];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(20))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        rustix::net::sendmsg(&there, &[IoSlice::new(b"x")], &mut control, SendFlags::empty())
            .unwrap();
        drop(writer);
        let received = received(&here);
        assert!(received.lost_fds && received.fds.len() < 20, "{received:?}");
        assert!(received.fds.iter().all(|fd| {
            rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC)
        }));
        drop(received);
        // Nobody holds the writing end any more.
        assert_eq!(io::Read::read(&mut reader, &mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn a_packet_that_is_too_long_is_seen_to_be() {
        let (here, there) = pair().unwrap();
        send(&there, &[1; LARGEST + 100], &[], SendFlags::empty()).unwrap();
        assert_eq!(received(&here).bytes.len(), LARGEST + 1);
    }
}
