//! The flags behind the key of a meta command.

use super::base64;
use crate::cache::KEY_BYTES_MAX;
use crate::clock::{Epoch, Expiry, Seconds};
use crate::text::Refusal;
use crate::text::line::{Line, Tokens};
use crate::text::number::{i32_of, u32_of, u64_of};
use bytes::BytesMut;

/// Most tokens of a meta command, its name and key among them.
const META_TOKENS_MAX: usize = 20;
/// Longest opaque token, its letter among it, bytes.
const OPAQUE_BYTES_MAX: usize = 32;

/// Room for a key that is given in base64.
#[derive(Debug, Default)]
pub(in crate::text) struct KeyRoom(Option<[u8; KEY_BYTES_MAX]>);

impl KeyRoom {
    /// Decodes a key into this room.
    pub(super) fn decode(&mut self, text: &[u8]) -> Option<&[u8]> {
        let room = self.0.insert([0; KEY_BYTES_MAX]);
        base64::decode(text, room).map(|len| &room[..len])
    }
}

/// Everything behind the name of a meta command.
#[derive(Debug)]
pub(in crate::text) struct Flags<'a> {
    tokens: Tokens<'a>,
    /// Which token is the first flag.
    first: usize,
    /// One bit for each flag given.
    given: u128,
    /// The key, decoded.
    pub(super) key: &'a [u8],
    /// `T`: expiry time.
    pub(super) ttl: Option<Expiry>,
    /// `N`: expiry time of what is made on a miss.
    pub(super) vivify: Option<Expiry>,
    /// `R`: who comes less than so long before the end is to fetch it anew.
    pub(super) recache: Option<Expiry>,
    /// `C`: the version it must have.
    pub(super) compare: Option<u64>,
    /// `E`: the version it gets.
    pub(super) version: Option<u64>,
    /// `F`: flags of the client.
    pub(super) client_flags: u32,
    /// `M`: how to store or count.
    pub(super) mode: Option<u8>,
    /// `D`: what to count by.
    pub(super) delta: u64,
    /// `J`: what to count from.
    pub(super) initial: u64,
}

impl<'a> Flags<'a> {
    /// The tokens of a line, if they can be flags from `first` on.
    ///
    /// # Errors
    /// If there are fewer than `first`, or one begins with what can be no flag.
    #[inline]
    pub(super) fn tokens(line: &Line<'a>, first: usize) -> Result<Tokens<'a>, Refusal> {
        let tokens = line.tokens();
        let begins = |token: &[u8]| matches!(token.first(), Some(b'0'..=b'9' | b'A'..=b'z'));
        if tokens.len() < first || !tokens.from(first).all(begins) {
            return Err(Refusal::BadFormat);
        }
        Ok(tokens)
    }

    /// Reads key and flags.
    ///
    /// # Errors
    /// If there are too many, one is given twice, does not exist or lacks its number, or the key
    /// is none.
    #[inline]
    pub(super) fn parse(
        tokens: Tokens<'a>,
        first: usize,
        epoch: Epoch,
        now: Seconds,
        room: &'a mut KeyRoom,
    ) -> Result<Self, Refusal> {
        let key = tokens.get(1);
        if key.len() > KEY_BYTES_MAX {
            return Err(Refusal::BadFormat);
        }
        if tokens.len() > META_TOKENS_MAX {
            return Err(Refusal::TooManyFlags);
        }
        let mut flags = Self::none(tokens, first, key);
        let (mut bad, mut room) = (None, Some(room));
        for token in tokens.from(first) {
            let bit = 1u128 << (token[0] & 0x7f);
            if flags.given & bit != 0 {
                return Err(Refusal::DuplicateFlag);
            }
            flags.given |= bit;
            match flags.take(token, epoch, now) {
                Ok(()) => {}
                Err(refusal @ Refusal::InvalidFlag) => return Err(refusal),
                // Of several, the last is told, but what says less does not hide what says more.
                Err(refusal @ Refusal::BadFormat) => bad = bad.or(Some(refusal)),
                Err(refusal) => bad = Some(refusal),
            }
            if token[0] == b'b' {
                let room = room.take().expect("no flag is taken twice");
                match room.decode(key) {
                    Some(key) => flags.key = key,
                    None => bad = Some(Refusal::BadKeyEncoding),
                }
            }
        }
        bad.map_or(Ok(flags), Err)
    }

    /// Looks at the opaque token, which is to be the last thing about a line that is refused.
    ///
    /// # Errors
    /// If it is too long.
    #[inline]
    pub(super) fn check_opaque(&self) -> Result<(), Refusal> {
        let too_long = |token: &[u8]| token[0] == b'O' && token.len() > OPAQUE_BYTES_MAX;
        if self.has(b'O') && self.in_order().any(too_long) {
            return Err(Refusal::OpaqueTooLong);
        }
        Ok(())
    }

    const fn none(tokens: Tokens<'a>, first: usize, key: &'a [u8]) -> Self {
        Self {
            tokens,
            first,
            given: 0,
            key,
            ttl: None,
            vivify: None,
            recache: None,
            compare: None,
            version: None,
            client_flags: 0,
            mode: None,
            delta: 1,
            initial: 0,
        }
    }

    #[inline]
    fn take(&mut self, token: &[u8], epoch: Epoch, now: Seconds) -> Result<(), Refusal> {
        let argument = &token[1..];
        let bad = Refusal::BadFlagNumber;
        let expiry = || i32_of(argument).map(|wire| epoch.expiry(wire, now)).ok_or(bad);
        let number = || u64_of(argument).ok_or(bad);
        match token[0] {
            b'b' | b'c' | b'f' | b'h' | b'k' | b'l' | b'q' | b's' | b't' | b'u' | b'v' | b'x'
            | b'I' | b'L' | b'O' | b'P' => {}
            b'N' => self.vivify = Some(expiry()?),
            b'T' => self.ttl = Some(expiry()?),
            b'R' => self.recache = Some(expiry()?),
            b'C' => self.compare = Some(number()?),
            b'E' => self.version = Some(number()?),
            b'F' => self.client_flags = u32_of(argument).ok_or(Refusal::BadFormat)?,
            b'M' => self.mode = Some(argument.first().copied().unwrap_or_default()),
            b'D' => self.delta = number().map_err(|_| Refusal::BadDeltaFlag)?,
            b'J' => self.initial = number().map_err(|_| Refusal::BadInitialFlag)?,
            _ => return Err(Refusal::InvalidFlag),
        }
        Ok(())
    }

    /// Whether a flag was given.
    #[inline]
    pub(super) const fn has(&self, flag: u8) -> bool {
        self.given >> flag & 1 == 1
    }

    /// Whether any of some flags was given; `mask` is made by [`mask`].
    #[inline]
    pub(super) const fn has_any(&self, mask: u128) -> bool {
        self.given & mask != 0
    }

    /// The flags in their order, with what is behind their letters.
    #[inline]
    pub(super) fn in_order(&self) -> impl Iterator<Item = &'a [u8]> {
        self.tokens.from(self.first)
    }

    /// Repeats an opaque token, or the key as it was given; other flags are none of its business.
    #[inline]
    pub(super) fn echo(&self, token: &[u8], tx: &mut BytesMut) {
        match token[0] {
            b'O' => {
                tx.extend_from_slice(b" ");
                tx.extend_from_slice(token);
            }
            b'k' => {
                tx.extend_from_slice(b" k");
                if self.has(b'b') {
                    base64::encode(self.key, tx);
                    tx.extend_from_slice(b" b");
                } else {
                    tx.extend_from_slice(self.key);
                }
            }
            _ => {}
        }
    }

    /// Room for a reply with every flag, bytes.
    pub(super) const fn reply_bytes_max(&self) -> usize {
        /// Codes, numbers and what the store adds.
        const NUMBERS_BYTES_MAX: usize = 160;
        NUMBERS_BYTES_MAX + OPAQUE_BYTES_MAX + 2 * self.key.len()
    }
}

/// One bit for each letter.
pub(super) const fn mask(letters: &[u8]) -> u128 {
    let (mut mask, mut at) = (0, 0);
    while at < letters.len() {
        mask |= 1 << letters[at];
        at += 1;
    }
    mask
}
