//! Recordings as Opus in Ogg (RFC 7845).
//!
//! Two sides are two streams of their own (channel mapping family 1, nothing coupled), so that neither is
//! heard in the other. In a packet of both the first is delimited by itself (RFC 6716 appendix B).

use std::io::{Seek, Write};

use ogg::{PacketWriteEndInfo, PacketWriter};

use super::{FileShape, RecordingError};
use crate::codec::{Codec, Encoder, MAX_PAYLOAD};
use crate::frame::{Band, WIDE_SAMPLES};

/// What Opus counts by, whatever it codes (RFC 7845 §4).
const CLOCK_RATE: u64 = 48_000;

/// Ticks of a packet of 20 ms.
const PACKET: u64 = CLOCK_RATE / 50;

/// Ticks at the beginning that the encoder's delay makes up: 6.5 ms, the delay of a voice encoder.
const PRE_SKIP: u64 = 312;

/// Packets of a page, so that no more than a second is lost.
const PAGE: u32 = 50;

/// Packets of 20 ms, and a page each second.
pub(super) struct OggOpusRecorder<W: Write + Seek> {
    pages: PacketWriter<'static, W>,
    serial: u32,
    encoders: Vec<Encoder>,
    /// Samples of all channels that do not fill a packet yet.
    waiting: Vec<i16>,
    /// A packet that waits to know whether it is the last one.
    packet: Option<Vec<u8>>,
    /// Samples of each channel so far.
    written: u64,
    packets: u64,
    in_page: u32,
}

impl<W: Write + Seek> OggOpusRecorder<W> {
    pub(super) fn new(file: W, shape: FileShape) -> Result<Self, RecordingError> {
        let channels = shape.channels();
        let mut recorder = Self {
            pages: PacketWriter::new(file),
            serial: 1,
            encoders: (0..channels).map(|_| Encoder::new(Codec::Opus)).collect(),
            waiting: Vec::with_capacity(channels * WIDE_SAMPLES),
            packet: None,
            written: 0,
            packets: 0,
            in_page: 0,
        };
        let head = head(channels as u8, shape.band);
        recorder.page(head, 0)?;
        recorder.page(tags(), 0)?;
        Ok(recorder)
    }

    pub(super) fn write(&mut self, samples: &[i16]) -> Result<(), RecordingError> {
        let whole = self.encoders.len() * WIDE_SAMPLES;
        self.written += (samples.len() / self.encoders.len()) as u64;
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(whole - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            rest = later;
            if self.waiting.len() == whole {
                self.encode()?;
            }
        }
        Ok(())
    }

    /// Packets go out page by page; what a page lacks is not made playable sooner.
    pub(super) fn flush(&mut self) -> Result<(), RecordingError> {
        Ok(self.pages.inner_mut().flush()?)
    }

    pub(super) fn finish(mut self) -> Result<(), RecordingError> {
        let whole = self.encoders.len() * WIDE_SAMPLES;
        let end = PRE_SKIP + self.written * CLOCK_RATE / u64::from(Band::Wide.sample_rate());
        // What the delay of the encoder holds back has to come out too.
        while self.packets * PACKET < end || !self.waiting.is_empty() {
            self.waiting.resize(whole, 0);
            self.encode()?;
        }
        if let Some(packet) = self.packet.take() {
            // A position before the end of the last packet cuts what was only filled up (RFC 7845 §4.4).
            let end_of_stream = PacketWriteEndInfo::EndStream;
            self.pages
                .write_packet(packet, self.serial, end_of_stream, end)?;
        }
        Ok(self.pages.inner_mut().flush()?)
    }

    fn encode(&mut self) -> Result<(), RecordingError> {
        let channels = self.encoders.len();
        let mut packet = Vec::with_capacity(channels * MAX_PAYLOAD / 8);
        for (channel, encoder) in self.encoders.iter_mut().enumerate() {
            let mut samples = [0; WIDE_SAMPLES];
            let side = self.waiting.iter().skip(channel).step_by(channels);
            samples
                .iter_mut()
                .zip(side)
                .for_each(|(to, from)| *to = *from);
            let mut octets = [0; MAX_PAYLOAD];
            let len = encoder.encode(&samples, &mut octets);
            if channel + 1 < channels {
                delimit(&octets[..len], &mut packet)?;
            } else {
                packet.extend_from_slice(&octets[..len]);
            }
        }
        self.waiting.clear();
        if let Some(earlier) = self.packet.replace(packet) {
            self.put(earlier)?;
        }
        self.packets += 1;
        Ok(())
    }

    /// Writes a packet that is not the last one.
    fn put(&mut self, packet: Vec<u8>) -> Result<(), RecordingError> {
        self.in_page += 1;
        let end_of_page = self.in_page == PAGE;
        let info = if end_of_page {
            self.in_page = 0;
            PacketWriteEndInfo::EndPage
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        let position = self.packets * PACKET;
        self.pages
            .write_packet(packet, self.serial, info, position)?;
        Ok(())
    }

    /// Writes a packet that is a page of its own.
    fn page(&mut self, packet: Vec<u8>, position: u64) -> Result<(), RecordingError> {
        let end_of_page = PacketWriteEndInfo::EndPage;
        self.pages
            .write_packet(packet, self.serial, end_of_page, position)?;
        Ok(())
    }
}

/// The identification header (RFC 7845 §5.1).
fn head(channels: u8, band: Band) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend((PRE_SKIP as u16).to_le_bytes());
    head.extend(band.sample_rate().to_le_bytes());
    // No gain.
    head.extend([0, 0]);
    match channels {
        1 => head.push(0),
        // Family 1: so many streams, none of them coupled, each channel its own.
        _ => head.extend([1, channels, 0, 0, 1]),
    }
    head
}

/// The comment header (RFC 7845 §5.2), without comments.
fn tags() -> Vec<u8> {
    let vendor = concat!("flowswitch ", env!("CARGO_PKG_VERSION"));
    let mut tags = b"OpusTags".to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor.as_bytes());
    tags.extend(0_u32.to_le_bytes());
    tags
}

/// Adds a packet of one frame (code 0) with its length (RFC 6716 §3.2.1 and appendix B).
fn delimit(packet: &[u8], out: &mut Vec<u8>) -> Result<(), RecordingError> {
    let Some((toc, frame)) = packet.split_first().filter(|(toc, _)| **toc & 3 == 0) else {
        return Err(RecordingError::Encoder);
    };
    out.push(*toc);
    match frame.len() {
        short @ 0..=251 => out.push(short as u8),
        long => {
            let first = 252 + (long & 3);
            out.extend([first as u8, ((long - first) >> 2) as u8]);
        }
    }
    out.extend_from_slice(frame);
    Ok(())
}
