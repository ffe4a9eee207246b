//! Open files of the processes that use a disk.

use storytime_machine::FileId;

/// Most files open at once on one disk.
pub const FILES_OPEN_MAX: usize = 1 << 16;

/// An open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) file: u32,
    pub(super) owner: u32,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// How many handles had this place before, so that a closed one stays closed.
    age: u16,
    open: Option<Handle>,
}

/// All open files.
#[derive(Clone, Debug, Default)]
pub(super) struct Handles {
    slots: Vec<Slot>,
    free: Vec<u16>,
}

impl Handles {
    /// `None` when too many are open.
    pub(super) fn open(&mut self, handle: Handle) -> Option<FileId> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < FILES_OPEN_MAX => {
                self.slots.push(Slot::default());
                (self.slots.len() - 1) as u16
            }
            None => return None,
        };
        let place = &mut self.slots[usize::from(slot)];
        debug_assert!(place.open.is_none(), "a free place is free");
        place.open = Some(handle);
        Some(FileId(u32::from(place.age) << 16 | u32::from(slot)))
    }

    /// The file behind a handle of a process.
    #[inline]
    pub(super) fn get(&self, owner: u32, id: FileId) -> Option<u32> {
        let slot = self.slots.get((id.0 & 0xffff) as usize)?;
        let handle = slot.open.filter(|handle| handle.owner == owner)?;
        (u32::from(slot.age) == id.0 >> 16).then_some(handle.file)
    }

    pub(super) fn close(&mut self, owner: u32, id: FileId) -> Option<u32> {
        let file = self.get(owner, id)?;
        self.release((id.0 & 0xffff) as usize);
        Some(file)
    }

    fn release(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.open = None;
        slot.age = slot.age.wrapping_add(1);
        self.free.push(index as u16);
    }

    /// Closes what a process, or everyone, has open, and returns the files.
    pub(super) fn close_all(&mut self, owner: Option<u32>) -> Vec<u32> {
        let mut closed = Vec::new();
        for index in 0..self.slots.len() {
            let open = self.slots[index].open;
            if let Some(handle) = open.filter(|h| owner.is_none_or(|owner| h.owner == owner)) {
                closed.push(handle.file);
                self.release(index);
            }
        }
        closed
    }
}
