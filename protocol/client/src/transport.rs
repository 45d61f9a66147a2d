//! What every end of a connection sets alike: sockets with room for a burst, large packets where the path takes them, and few
//! packets that only acknowledge.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::{AckFrequencyConfig, Endpoint, EndpointConfig, MtuDiscoveryConfig, TokioRuntime, TransportConfig, VarInt};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

/// What the kernel may hold for a socket, as far as the system allows. Its default (208 KiB) overflows when a flood meets
/// a thread that was away for two milliseconds: measured, a thousand packets lost in ten seconds at 500,000 requests a
/// second, and each loss a stall of several milliseconds.
const BUFFER_BYTES: usize = 4 << 20;
/// The largest packets that are looked for: a frame of 64 redemptions (3.6 KiB) is then one packet instead of three, where the
/// path takes jumbo frames. No more, although a jumbo frame holds 8,952 bytes: quinn hands the kernel up to ten packets in one
/// call, which refuses more than 65,507 bytes, and what it refuses quinn takes for sent. With 8,952 connections stood still for
/// half a minute.
const PACKET_BYTES_MOST: u16 = 6_500;
const _: () = assert!(10 * PACKET_BYTES_MOST as u32 <= 65_507);
/// Packets that may come before they are acknowledged...
const ACKNOWLEDGED_AFTER: VarInt = VarInt::from_u32(8);
/// ... and how long the first of them may wait. Answers carry acknowledgements too.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(5);

/// Binds an endpoint with the rest of `config`; with a configuration for servers it also accepts.
pub fn endpoint(
    mut config: EndpointConfig,
    server: Option<quinn::ServerConfig>,
    address: SocketAddr,
) -> io::Result<Endpoint> {
    let socket = UdpSocket::bind(address)?;
    // A system that grants less is slower at the peak, not wrong.
    let _ = set_socket_recv_buffer_size(&socket, BUFFER_BYTES);
    let _ = set_socket_send_buffer_size(&socket, BUFFER_BYTES);
    config.max_udp_payload_size(PACKET_BYTES_MOST).expect("more than the least that QUIC asks for");
    Endpoint::new(config, server, socket, Arc::new(TokioRuntime))
}

/// The settings of a connection that do not depend on its end.
pub fn transport() -> TransportConfig {
    let mut packets = MtuDiscoveryConfig::default();
    packets.upper_bound(PACKET_BYTES_MOST);
    let mut acknowledgements = AckFrequencyConfig::default();
    acknowledgements.ack_eliciting_threshold(ACKNOWLEDGED_AFTER).max_ack_delay(Some(ACKNOWLEDGED_WITHIN));
    let mut transport = TransportConfig::default();
    transport.mtu_discovery_config(Some(packets)).ack_frequency_config(Some(acknowledgements));
    transport
}
