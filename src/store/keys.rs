//! The keyed hashes: which shard a member is in, an order's fingerprint, a request's hash.
//!
//! SipHash-1-3 for shards and requests, SipHash-2-4 with 128 bits for fingerprints (Aumasson and Bernstein, "SipHash: a
//! fast short-input PRF", 2012). The keys are made with the data directory and stored with it: both results are disk
//! format.

use std::hash::Hasher;

use siphasher::{sip::SipHasher13, sip128::Hasher128, sip128::SipHasher24};
use tidegate_protocol::MemberKey;

use crate::engine::NaturalKey;

/// The keys of one data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKeys {
    /// For members and requests.
    pub short: [u8; 16],
    /// For fingerprints.
    pub long: [u8; 16],
}

impl HashKeys {
    /// The hash whose low bits choose a member's shard.
    pub fn member(&self, programme: u32, key: MemberKey) -> u64 {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&programme.to_le_bytes());
        bytes[4..].copy_from_slice(&key.0);
        SipHasher13::new_with_key(&self.short).hash(&bytes)
    }

    /// The hash by which a retry is told from another request: over code, programme and the exact body.
    pub fn request(&self, code: u16, programme: u32, body: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.short);
        hasher.write(&(u64::from(code) << 32 | u64::from(programme)).to_le_bytes());
        hasher.write(body);
        hasher.finish()
    }

    /// The seal of a statement's cursor: only who has the keys can make one.
    pub fn cursor(&self, programme: u32, member: MemberKey, epoch: u64, offset: u32) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.long);
        hasher.write(&[u8::MAX - 1]);
        hasher.write(&programme.to_le_bytes());
        hasher.write(&member.0);
        hasher.write(&epoch.to_le_bytes());
        hasher.write(&offset.to_le_bytes());
        hasher.finish128().h1
    }

    /// The fingerprint of an order's natural key.
    pub fn order(&self, programme: u32, channel: &str, number: &str) -> NaturalKey {
        let mut hasher = SipHasher24::new_with_key(&self.long);
        hasher.write(&programme.to_le_bytes());
        hasher.write(&[channel.len() as u8]);
        hasher.write(channel.as_bytes());
        hasher.write(number.as_bytes());
        hasher.finish128().as_u128().to_le_bytes()
    }

    /// The fingerprint of an activity's natural key: of no order's, as no channel's name is so long.
    pub fn activity(&self, programme: u32, activity: &str, key: &str) -> NaturalKey {
        let mut hasher = SipHasher24::new_with_key(&self.long);
        hasher.write(&programme.to_le_bytes());
        hasher.write(&[u8::MAX, activity.len() as u8]);
        hasher.write(activity.as_bytes());
        hasher.write(key.as_bytes());
        hasher.finish128().as_u128().to_le_bytes()
    }
}
