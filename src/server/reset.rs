//! Stateless resets that outlive a process: a peer of a server that was killed is told at its next packet that the
//! connection is gone, and comes back at once instead of after its own silence (RFC 9000, section 10.3).
//!
//! Both keys follow from the data directory's secret, so that the next process on it can speak for the one before.

use std::sync::Arc;

use quinn::EndpointConfig;
use quinn::crypto::{CryptoError, HmacKey};
use quinn_proto::HashedConnectionIdGenerator;

use crate::store::HashKeys;

const TAG_BYTES: usize = 32;

/// Signs the tokens of resets.
struct ResetKey([u8; TAG_BYTES]);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(blake3::keyed_hash(&self.0, data).as_bytes());
    }

    fn signature_len(&self) -> usize {
        TAG_BYTES
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        // BLAKE3's hashes are compared in constant time.
        let given: [u8; TAG_BYTES] = signature.try_into().map_err(|_| CryptoError)?;
        if blake3::keyed_hash(&self.0, data) == given { Ok(()) } else { Err(CryptoError) }
    }
}

/// The configuration of an endpoint on this data directory.
pub(super) fn endpoint_config(keys: HashKeys) -> EndpointConfig {
    let derived = |context: &str| blake3::derive_key(context, &[keys.short, keys.long].concat());
    let mut config = EndpointConfig::new(Arc::new(ResetKey(derived("tidegate 2026-11 stateless reset tokens"))));
    let ids = derived("tidegate 2026-11 connection ids");
    let ids = u64::from_le_bytes(*ids.first_chunk().expect("32 bytes have a first eight"));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}
