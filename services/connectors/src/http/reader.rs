//! A body as a blocking reader, so that a report of hundreds of thousands of rows is decoded while it arrives
//! and is never held in memory as a whole.

use std::io::Read;

use bytes::Bytes;
use tokio::sync::mpsc::Receiver;

/// How much of what was read is kept to name the field at which decoding stopped.
const TAIL: usize = 512;

/// Reads chunks that arrive on a channel. The end of the channel is the end of the body; whether it was cut is
/// known to the sending side.
pub(crate) struct BodyReader {
    chunks: Receiver<Bytes>,
    current: Bytes,
    at: usize,
    previous: Vec<u8>,
    first: Option<u8>,
}

impl BodyReader {
    pub(crate) fn new(chunks: Receiver<Bytes>) -> Self {
        Self {
            chunks,
            current: Bytes::new(),
            at: 0,
            previous: Vec::new(),
            first: None,
        }
    }

    /// The last bytes that were read.
    pub(crate) fn tail(&self) -> Vec<u8> {
        let mut tail = self.previous.clone();
        tail.extend_from_slice(&self.current[..self.at]);
        tail.split_off(tail.len().saturating_sub(TAIL))
    }

    /// The first byte of the body that is not white space, once it was read.
    pub(crate) fn first(&self) -> Option<u8> {
        self.first
    }

    fn next_chunk(&mut self) -> bool {
        let start = self.current.len().saturating_sub(TAIL);
        self.previous.extend_from_slice(&self.current[start..]);
        let surplus = self.previous.len().saturating_sub(TAIL);
        self.previous.drain(..surplus);
        self.at = 0;
        match self.chunks.blocking_recv() {
            Some(chunk) => {
                self.first = self.first.or_else(|| chunk.trim_ascii_start().first().copied());
                self.current = chunk;
                true
            }
            None => {
                self.current = Bytes::new();
                false
            }
        }
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.current.len() {
            if !self.next_chunk() {
                return Ok(0);
            }
        }
        let rest = &self.current[self.at..];
        // The JSON reader asks byte by byte.
        if let ([byte], [first, ..]) = (&mut *buffer, rest) {
            *byte = *first;
            self.at += 1;
            return Ok(1);
        }
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}
