//! What the keeper and its supervisor say to one another, to the byte; KEEPER.md says the same for readers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::process::Pid;
use session_core::SessionId;

/// No packet is larger.
pub(super) const LARGEST: usize = 4096;

/// How a program ended of which nobody knows how: as a wait status, this number is that of no end.
pub(crate) const UNKNOWN_END: i32 = 0xffff;

/// Every packet begins with a head of this size.
const HEAD: usize = 40;
const VERSION: u8 = 1;

const SKIP: u64 = 1;
const ENDED: u64 = 2;

/// A packet from the supervisor to the keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It serves.
    Ready,
    /// With the socket that it listens on.
    Listener,
    /// With both ends of a session's terminal and its journal.
    Deposit(SessionId),
    /// The session's program runs.
    Started { id: SessionId, pid: Pid },
    /// Nothing is to be kept for the session any more.
    Release(SessionId),
    /// The session is about to be rebuilt, which may be the supervisor's end.
    Taking(SessionId),
    /// It was not.
    Taken(SessionId),
    /// What to start after its end.
    Restart(PathBuf),
    /// It is needed no more.
    Leave,
}

/// A packet from the keeper to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// First of all, with the instance lock and the socket that clients connect to, if there is one.
    Hello { keeper: u32, held: u64 },
    /// A session that is kept, with its descriptors.
    Held { id: SessionId, pid: Option<Pid>, ended: Option<i32>, skip: bool },
    /// Those were all.
    HeldAll,
    /// How the session's program ended.
    Ended { id: SessionId, pid: Pid, status: i32 },
    /// Every program is to end, and then the supervisor.
    EndAll,
    /// The session is safe, or with an error number: it is not.
    Deposited { id: SessionId, refusal: u32 },
}

/// The parts that all packets have.
#[derive(Clone, Copy, Debug, Default)]
struct Packet<'a> {
    kind: u8,
    id: u128,
    a: u64,
    b: u64,
    payload: &'a [u8],
}

/// How long the path of a program may be that is to be started next.
pub(super) const LONGEST_PATH: usize = LARGEST - HEAD;

impl Said {
    /// The packet that says `program` is to be started next; `None` when its path is too long.
    pub(super) fn restart(program: &Path) -> Option<Self> {
        let fits = program.as_os_str().len() <= LONGEST_PATH;
        fits.then(|| Self::Restart(program.to_owned()))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let about = |kind, id: &SessionId| Packet { kind, id: number(id), ..Packet::default() };
        let bare = |kind| Packet { kind, ..Packet::default() };
        match self {
            Self::Ready => bare(1),
            Self::Listener => bare(2),
            Self::Deposit(id) => about(3, id),
            Self::Started { id, pid } => Packet { a: pid_number(*pid), ..about(4, id) },
            Self::Release(id) => about(5, id),
            Self::Taking(id) => about(6, id),
            Self::Taken(id) => about(7, id),
            Self::Restart(program) => Packet { payload: program.as_os_str().as_bytes(), ..bare(8) },
            Self::Leave => bare(9),
        }
        .encode()
    }

    /// `None` for what is not of this version or makes no sense.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let packet = Packet::decode(bytes)?;
        let id = session_id(packet.id)?;
        Some(match packet.kind {
            1 => Self::Ready,
            2 => Self::Listener,
            3 => Self::Deposit(id),
            4 => Self::Started { id, pid: pid(packet.a)? },
            5 => Self::Release(id),
            6 => Self::Taking(id),
            7 => Self::Taken(id),
            8 => Self::Restart(path(packet.payload)?),
            9 => Self::Leave,
            _ => return None,
        })
    }
}

impl Told {
    pub(super) fn encode(&self) -> Vec<u8> {
        let about = |kind, id: &SessionId| Packet { kind, id: number(id), ..Packet::default() };
        let bare = |kind| Packet { kind, ..Packet::default() };
        match self {
            Self::Hello { keeper, held } => Packet { a: u64::from(*keeper), b: *held, ..bare(64) },
            Self::Held { id, pid, ended, skip } => {
                let status = ended.map_or(0, |status| ENDED | status_bits(status) << 32);
                let skip = if *skip { SKIP } else { 0 };
                Packet { a: pid.map_or(0, pid_number), b: skip | status, ..about(65, id) }
            }
            Self::HeldAll => bare(66),
            Self::Ended { id, pid, status } => {
                Packet { a: pid_number(*pid), b: status_bits(*status), ..about(67, id) }
            }
            Self::EndAll => bare(68),
            Self::Deposited { id, refusal } => Packet { b: u64::from(*refusal), ..about(69, id) },
        }
        .encode()
    }

    /// `None` for what is not of this version or makes no sense.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let packet = Packet::decode(bytes)?;
        let id = session_id(packet.id)?;
        Some(match packet.kind {
            64 => Self::Hello { keeper: u32::try_from(packet.a).ok()?, held: packet.b },
            65 => Self::Held {
                id,
                pid: if packet.a == 0 { None } else { Some(pid(packet.a)?) },
                ended: (packet.b & ENDED != 0).then(|| status(packet.b >> 32)),
                skip: packet.b & SKIP != 0,
            },
            66 => Self::HeldAll,
            67 => Self::Ended { id, pid: pid(packet.a)?, status: status(packet.b) },
            68 => Self::EndAll,
            69 => Self::Deposited { id, refusal: u32::try_from(packet.b).ok()? },
            _ => return None,
        })
    }
}

impl<'a> Packet<'a> {
    fn encode(self) -> Vec<u8> {
        let mut bytes = vec![self.kind, VERSION, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&self.a.to_le_bytes());
        bytes.extend_from_slice(&self.b.to_le_bytes());
        bytes.extend_from_slice(self.payload);
        bytes
    }

    fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (head, payload) = bytes.split_at_checked(HEAD)?;
        let (&kind, &version) = (head.first()?, head.get(1)?);
        if version != VERSION || bytes.len() > LARGEST {
            return None;
        }
        let (id, rest) = head.get(8..)?.split_first_chunk()?;
        let (a, rest) = rest.split_first_chunk()?;
        let (b, _) = rest.split_first_chunk()?;
        let id = u128::from_be_bytes(*id);
        Some(Self { kind, id, a: u64::from_le_bytes(*a), b: u64::from_le_bytes(*b), payload })
    }
}

/// The 32 symbols of Crockford's base 32, in the order of their values.
const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The id as the number that its text spells, 5 bits in each character.
pub(super) fn number(id: &SessionId) -> u128 {
    id.to_string().bytes().fold(0, |number, symbol| {
        let value = SYMBOLS.iter().position(|&other| other == symbol).unwrap_or_default();
        number << 5 | value as u128
    })
}

/// The id of that number; every number has one.
pub(super) fn session_id(number: u128) -> Option<SessionId> {
    let symbols = (0..26).rev().map(|place| SYMBOLS[(number >> (5 * place) & 31) as usize]);
    SessionId::parse(&symbols.map(char::from).collect::<String>()).ok()
}

/// A process id in a packet, if it can be one.
pub(super) fn pid(number: u64) -> Option<Pid> {
    let number = i32::try_from(number).ok().filter(|&number| number > 0)?;
    Pid::from_raw(number)
}

/// A process id as packets have it.
fn pid_number(pid: Pid) -> u64 {
    u64::from(pid.as_raw_nonzero().get().unsigned_abs())
}

fn status_bits(status: i32) -> u64 {
    u64::from(status.cast_unsigned())
}

/// The low 32 bits are the status.
fn status(bits: u64) -> i32 {
    (bits as u32).cast_signed()
}

fn path(bytes: &[u8]) -> Option<PathBuf> {
    let sensible = !bytes.is_empty() && !bytes.contains(&0);
    sensible.then(|| PathBuf::from(OsStr::from_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "01KB0000000000000000000ABC";

    fn id() -> SessionId {
        SessionId::parse(ID).unwrap()
    }

    fn process(number: u64) -> Pid {
        pid(number).unwrap()
    }

    /// One example of each packet that the supervisor sends, and the bytes that KEEPER.md gives for it.
    fn said() -> [(Said, &'static str); 9] {
        [
            (
                Said::Ready,
                "01 01 000000000000 00000000000000000000000000000000 0000000000000000 0000000000000000",
            ),
            (
                Said::Listener,
                "02 01 000000000000 00000000000000000000000000000000 0000000000000000 0000000000000000",
            ),
            (
                Said::Deposit(id()),
                "03 01 000000000000 019ac00000000000000000000000296c 0000000000000000 0000000000000000",
            ),
            (
                Said::Started { id: id(), pid: process(4242) },
                "04 01 000000000000 019ac00000000000000000000000296c 9210000000000000 0000000000000000",
            ),
            (
                Said::Release(id()),
                "05 01 000000000000 019ac00000000000000000000000296c 0000000000000000 0000000000000000",
            ),
            (
                Said::Taking(id()),
                "06 01 000000000000 019ac00000000000000000000000296c 0000000000000000 0000000000000000",
            ),
            (
                Said::Taken(id()),
                "07 01 000000000000 019ac00000000000000000000000296c 0000000000000000 0000000000000000",
            ),
            (
                Said::Restart("/bin/session".into()),
                "08 01 000000000000 00000000000000000000000000000000 0000000000000000 0000000000000000 2f62696e2f73657373696f6e",
            ),
            (
                Said::Leave,
                "09 01 000000000000 00000000000000000000000000000000 0000000000000000 0000000000000000",
            ),
        ]
    }

    /// The same for the keeper.
    fn told() -> [(Told, &'static str); 8] {
        [
            (
                Told::Hello { keeper: 4200, held: 2 },
                "40 01 000000000000 00000000000000000000000000000000 6810000000000000 0200000000000000",
            ),
            (
                Told::Held { id: id(), pid: Some(process(4242)), ended: None, skip: true },
                "41 01 000000000000 019ac00000000000000000000000296c 9210000000000000 0100000000000000",
            ),
            (
                Told::Held { id: id(), pid: Some(process(4242)), ended: Some(0x0700), skip: false },
                "41 01 000000000000 019ac00000000000000000000000296c 9210000000000000 0200000000070000",
            ),
            (
                Told::Held { id: id(), pid: None, ended: None, skip: false },
                "41 01 000000000000 019ac00000000000000000000000296c 0000000000000000 0000000000000000",
            ),
            (
                Told::HeldAll,
                "42 01 000000000000 00000000000000000000000000000000 0000000000000000 0000000000000000",
            ),
            (
                Told::Ended { id: id(), pid: process(4242), status: 9 },
                "43 01 000000000000 019ac00000000000000000000000296c 9210000000000000 0900000000000000",
            ),
            (
                Told::EndAll,
                "44 01 000000000000 00000000000000000000000000000000 0000000000000000 0000000000000000",
            ),
            (
                Told::Deposited { id: id(), refusal: 24 },
                "45 01 000000000000 019ac00000000000000000000000296c 0000000000000000 1800000000000000",
            ),
        ]
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn every_byte_of_every_packet_stays_as_it_is() {
        for (packet, bytes) in said() {
            assert_eq!(hex(&packet.encode()), bytes.replace(' ', ""), "{packet:?}");
            assert_eq!(Said::decode(&packet.encode()), Some(packet));
        }
        for (packet, bytes) in told() {
            assert_eq!(hex(&packet.encode()), bytes.replace(' ', ""), "{packet:?}");
            assert_eq!(Told::decode(&packet.encode()), Some(packet));
        }
    }

    #[test]
    fn the_document_has_the_same_bytes() {
        let document = include_str!("../../KEEPER.md");
        let examples =
            said().map(|(_, bytes)| bytes).into_iter().chain(told().map(|(_, bytes)| bytes));
        for bytes in examples {
            assert!(document.contains(bytes), "{bytes}");
        }
    }

    #[test]
    fn what_is_of_no_known_form_is_nothing() {
        let mut packet = Said::Ready.encode();
        assert_eq!(Said::decode(&packet[..HEAD - 1]), None);
        packet[1] = 2;
        assert_eq!(Said::decode(&packet), None, "another version");
        packet[1] = VERSION;
        packet[0] = 10;
        assert_eq!(Said::decode(&packet), None, "an unknown kind");
        packet[0] = 4;
        assert_eq!(Said::decode(&packet), None, "a program without a number");
        packet[0] = 8;
        assert_eq!(Said::decode(&packet), None, "a program without a path");
        packet[0] = 1;
        packet.resize(LARGEST + 1, 0);
        assert_eq!(Said::decode(&packet), None, "too long");
        packet.truncate(LARGEST);
        packet[2..8].fill(0xff);
        assert_eq!(Said::decode(&packet), Some(Said::Ready), "room for those who come later");
        assert!(Said::restart(Path::new(&"x".repeat(LONGEST_PATH + 1))).is_none());
    }

    proptest! {
        #[test]
        fn random_bytes_are_understood_or_ignored(mut bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 0..80_u8) {
            let _either_way = (Said::decode(&bytes), Told::decode(&bytes));
            if bytes.len() >= 2 {
                (bytes[0], bytes[1]) = (kind, VERSION);
            }
            if let Some(packet) = Said::decode(&bytes) {
                prop_assert_eq!(Said::decode(&packet.encode()), Some(packet));
            }
            if let Some(packet) = Told::decode(&bytes) {
                prop_assert_eq!(Told::decode(&packet.encode()), Some(packet));
            }
        }

        #[test]
        fn every_number_is_an_id(value in any::<u128>()) {
            prop_assert_eq!(number(&session_id(value).unwrap()), value);
        }
    }
}
