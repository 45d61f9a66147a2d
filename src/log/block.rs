//! Blocks: what is written at once, checksummed and chained.
//!
//! | offset | bytes | field |
//! |---:|---:|---|
//! | 0 | 8 | magic `TIDEBLCK` |
//! | 8 | 2 | format version, 1 |
//! | 10 | 1 | kind: 1 epoch, 2 closing |
//! | 11 | 1 | zero |
//! | 12 | 4 | lineage |
//! | 16 | 8 | segment number |
//! | 24 | 8 | offset of this block in its segment |
//! | 32 | 8 | offset of the first block of its epoch (a closing block: its own) |
//! | 40 | 8 | epoch |
//! | 48 | 8 | previous epoch: the last one that was durable before this block was written |
//! | 56 | 2 | piece: index of this block in its epoch |
//! | 58 | 2 | pieces of the epoch |
//! | 60 | 4 | body length |
//! | 64 | 32 | chain hash before this block |
//! | 96 | 4 | CRC-32C of the body |
//! | 100 | 24 | zeros |
//! | 124 | 4 | CRC-32C of the bytes before |
//! | 128 | … | body, then zeros up to a multiple of 512 |
//!
//! The header has its own checksum, so that the length is trusted before the body is read, and it lies within one sector, so that it is never torn
//! inside. Every piece but an epoch's last is exactly `block bytes` long. The chain hash of a block is BLAKE3 over header and
//! body; the header holds the hash before it. A closing block has no body, repeats epoch and hash of the newest epoch, and is no link of the chain.

use super::segment::padded;
use super::{ChainHead, NUMBER_MOST, PlaceTail, epoch};

pub(super) const HEADER_BYTES: usize = 128;
pub(super) const MAGIC: &[u8; 8] = b"TIDEBLCK";
const VERSION: u16 = 1;
const CRC_AT: usize = 124;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Epoch,
    Closing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockHeader {
    pub(super) kind: Kind,
    pub(super) lineage: u32,
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) start: u64,
    pub(super) epoch: u64,
    /// The last epoch before this block, with the chain hash before it.
    pub(super) previous: ChainHead,
    pub(super) piece: u16,
    pub(super) pieces: u16,
    pub(super) body_bytes: u32,
    pub(super) body_crc: u32,
}

/// Why bytes are no block header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoBlock {
    /// All zeros: nothing was written here.
    Zero,
    /// Not what any writer wrote.
    Broken(String),
}

impl BlockHeader {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10] = match self.kind {
            Kind::Epoch => 1,
            Kind::Closing => 2,
        };
        bytes[12..16].copy_from_slice(&self.lineage.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.segment.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.offset.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.start.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.previous.epoch.to_le_bytes());
        bytes[56..58].copy_from_slice(&self.piece.to_le_bytes());
        bytes[58..60].copy_from_slice(&self.pieces.to_le_bytes());
        bytes[60..64].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[64..96].copy_from_slice(&self.previous.hash);
        bytes[96..100].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header from the first 128 of `bytes` and checks everything that can be checked without knowing the log.
    pub(super) fn decode(bytes: &[u8]) -> Result<BlockHeader, NoBlock> {
        let broken = |why: String| Err(NoBlock::Broken(why));
        let Some(bytes) = bytes.get(..HEADER_BYTES) else {
            return broken(format!("the end of the file, {} bytes into a block header", bytes.len()));
        };
        if bytes.iter().all(|&b| b == 0) {
            return Err(NoBlock::Zero);
        }
        if &bytes[..8] != MAGIC {
            return broken("bytes without a block's magic".to_owned());
        }
        let (crc, stored) = (crc32c::crc32c(&bytes[..CRC_AT]), u32_at(bytes, CRC_AT));
        if crc != stored {
            return broken(format!("a block header with checksum {stored:08x} over bytes of checksum {crc:08x}"));
        }
        let header = BlockHeader {
            kind: if bytes[10] == 1 { Kind::Epoch } else { Kind::Closing },
            lineage: u32_at(bytes, 12),
            segment: u64_at(bytes, 16),
            offset: u64_at(bytes, 24),
            start: u64_at(bytes, 32),
            epoch: u64_at(bytes, 40),
            previous: ChainHead { epoch: u64_at(bytes, 48), hash: bytes_at(bytes, 64) },
            piece: u16_at(bytes, 56),
            pieces: u16_at(bytes, 58),
            body_bytes: u32_at(bytes, 60),
            body_crc: u32_at(bytes, 96),
        };
        if header.encode() != bytes || header.epoch.max(header.previous.epoch) > NUMBER_MOST {
            return broken("a block header with values that version 1 does not have".to_owned());
        }
        Ok(header)
    }
}

/// Where a block or an epoch is to stand: what its headers say besides its content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) lineage: u32,
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) previous: ChainHead,
}

/// Puts all blocks of an epoch into `buffer`, padding included. The hash of the last one, and how many they are.
pub(super) fn encode_epoch(
    buffer: &mut Vec<u8>,
    at: Position,
    block_bytes: u32,
    epoch: u64,
    tails: &[PlaceTail],
) -> ([u8; 32], u64) {
    let block = block_bytes as usize;
    buffer.clear();
    epoch::encode(tails, |bytes| put(buffer, block, bytes));
    let end = buffer.len();
    let pieces = end.div_ceil(block);
    let mut hash = at.previous.hash;
    for (piece, bytes) in buffer.chunks_mut(block).enumerate() {
        let header = BlockHeader {
            kind: Kind::Epoch,
            lineage: at.lineage,
            segment: at.segment,
            offset: at.offset + (piece * block) as u64,
            start: at.offset,
            epoch,
            previous: ChainHead { epoch: at.previous.epoch, hash },
            piece: u16::try_from(piece).expect("the options bound the pieces of an epoch"),
            pieces: u16::try_from(pieces).expect("the options bound the pieces of an epoch"),
            body_bytes: (bytes.len() - HEADER_BYTES) as u32,
            body_crc: crc32c::crc32c(&bytes[HEADER_BYTES..]),
        };
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        hash = *blake3::hash(bytes).as_bytes();
    }
    let last = (end - (pieces - 1) * block - HEADER_BYTES) as u64;
    buffer.resize((pieces - 1) * block + padded(last) as usize, 0);
    (hash, pieces as u64)
}

/// Appends payload bytes, leaving room for a header at the start of each block.
fn put(buffer: &mut Vec<u8>, block: usize, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        if buffer.len().is_multiple_of(block) {
            buffer.resize(buffer.len() + HEADER_BYTES, 0);
        }
        let room = block - buffer.len() % block;
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        buffer.extend_from_slice(now);
        bytes = later;
    }
}

/// Puts a closing block into `buffer`, padding included.
pub(super) fn encode_closing(buffer: &mut Vec<u8>, at: Position) {
    let header = BlockHeader {
        kind: Kind::Closing,
        lineage: at.lineage,
        segment: at.segment,
        offset: at.offset,
        start: at.offset,
        epoch: at.previous.epoch,
        previous: at.previous,
        piece: 0,
        pieces: 1,
        body_bytes: 0,
        body_crc: 0,
    };
    buffer.clear();
    buffer.extend_from_slice(&header.encode());
    buffer.resize(padded(0) as usize, 0);
}

/// The bytes a payload takes as blocks, padding included.
pub(super) fn blocks_bytes(payload_bytes: u64, block_bytes: u32) -> u64 {
    let body_max = u64::from(block_bytes) - HEADER_BYTES as u64;
    let full = payload_bytes.div_ceil(body_max) - 1;
    full * u64::from(block_bytes) + padded(payload_bytes - full * body_max)
}

pub(super) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes is N bytes long")
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}

pub(super) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(bytes_at(bytes, at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::segment::SegmentHeader;
    use super::super::{LogIdentity, PlaceId, Tails};
    use super::*;

    fn header() -> impl Strategy<Value = BlockHeader> {
        let numbers = (any::<[u64; 5]>(), any::<[u32; 3]>(), any::<[u16; 2]>(), any::<[u8; 32]>(), any::<bool>());
        numbers.prop_map(|(longs, words, [piece, pieces], hash, closing)| BlockHeader {
            kind: if closing { Kind::Closing } else { Kind::Epoch },
            lineage: words[0],
            segment: longs[0],
            offset: longs[1],
            start: longs[2],
            epoch: longs[3] % (NUMBER_MOST + 1),
            previous: ChainHead { epoch: longs[4] % (NUMBER_MOST + 1), hash },
            piece,
            pieces,
            body_bytes: words[1],
            body_crc: words[2],
        })
    }

    proptest! {
        #[test]
        fn a_header_comes_back_and_no_other_byte_decodes(header in header(), at in 0..HEADER_BYTES, flip in 1_u8..) {
            let mut bytes = header.encode();
            prop_assert_eq!(BlockHeader::decode(&bytes), Ok(header));
            bytes[at] ^= flip;
            prop_assert!(BlockHeader::decode(&bytes).is_err());
        }

        #[test]
        fn an_epoch_that_no_log_reaches_is_refused(header in header(), beyond in NUMBER_MOST + 1.., of_this: bool) {
            let mut forged = header;
            if of_this { forged.epoch = beyond } else { forged.previous.epoch = beyond }
            prop_assert!(BlockHeader::decode(&forged.encode()).is_err());
            let sound = SegmentHeader {
                identity: LogIdentity { directory: [1; 16], lineage: 0 },
                number: 3,
                previous: ChainHead { epoch: NUMBER_MOST, hash: [2; 32] },
                made_ms: 0,
                segment_bytes: 8_192,
                block_bytes: 1_024,
            };
            prop_assert_eq!(SegmentHeader::decode(&sound.encode()), Ok(sound));
            let previous = ChainHead { epoch: beyond, ..sound.previous };
            let forged = SegmentHeader { previous, ..sound };
            prop_assert!(SegmentHeader::decode(&forged.encode()).is_err());
        }

        #[test]
        fn values_unknown_to_version_1_are_refused(header in header(), at in 8..CRC_AT, value in any::<u8>()) {
            let mut bytes = header.encode();
            bytes[at] = value;
            let crc = crc32c::crc32c(&bytes[..CRC_AT]);
            bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
            if let Ok(decoded) = BlockHeader::decode(&bytes) {
                prop_assert_eq!(decoded.encode(), bytes);
            }
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), count in 0_u32..40) {
            prop_assert!(BlockHeader::decode(&bytes).is_err());
            prop_assert!(SegmentHeader::decode(&bytes).is_err());
            let mut payload = count.to_le_bytes().to_vec();
            payload.extend(&bytes);
            for payload in [&bytes, &payload] {
                if let Ok(tails) = Tails::check(payload) {
                    let bytes: usize = tails.map(|tail| tail.records.len()).sum();
                    prop_assert!(bytes <= payload.len());
                }
            }
        }

        #[test]
        fn an_epoch_takes_what_is_computed_for_it(
            lens in prop::collection::vec(0_usize..3000, 0..20),
            block_bytes in (2_u32..9).prop_map(|sectors| sectors * 512),
        ) {
            let tail = |(place, len): (usize, &usize)| PlaceTail {
                place: PlaceId(place as u32), first_sequence: 1, base_ms: -1, count: 1, records: vec![7; *len],
            };
            let tails: Vec<PlaceTail> = lens.iter().enumerate().map(tail).collect();
            let at = Position { lineage: 1, segment: 2, offset: 512, previous: ChainHead::default() };
            let mut buffer = vec![1; 9];
            let (_, blocks) = encode_epoch(&mut buffer, at, block_bytes, 1, &tails);
            let payload = epoch::payload_bytes(lens.len(), lens.iter().sum::<usize>() as u64);
            prop_assert_eq!(buffer.len() as u64, blocks_bytes(payload, block_bytes));
            prop_assert_eq!(blocks, (buffer.len() as u64).div_ceil(block_bytes.into()));
        }
    }
}
