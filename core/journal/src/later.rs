//! Reading and checkpoints.

use crate::{Journal, Lsn, Storage};
use bytes::Bytes;
use storytime_machine::Cx;

#[allow(clippy::todo, clippy::needless_pass_by_value, missing_docs, unused_variables)]
impl Journal {
    pub fn read(&mut self, cx: &mut Cx, io: &mut dyn Storage, from: Lsn, bytes_max: usize) {
        todo!()
    }
    pub fn begin_checkpoint(&mut self, cx: &mut Cx, io: &mut dyn Storage, at: Lsn) {
        todo!()
    }
    pub fn wants_checkpoint_piece(&self) -> bool {
        todo!()
    }
    pub fn checkpoint_piece(&mut self, cx: &mut Cx, io: &mut dyn Storage, piece: Bytes) {
        todo!()
    }
    pub fn end_checkpoint(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        todo!()
    }
    pub fn reset(&mut self, cx: &mut Cx, io: &mut dyn Storage, at: Lsn) {
        todo!()
    }
}
