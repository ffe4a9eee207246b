//! A VFS for SQLite on a [`Plug`]: one connection at a time, no shared memory, no locks, and no
//! entropy or clock of the host.
//!
//! As the VFS for unix does, it syncs the directory when a new journal is first synced, and after a
//! deletion when asked.

use crate::plug::Plug;
use core::ffi::{CStr, c_char, c_int, c_void};
use rusqlite::ffi;
use std::ffi::CString;
use storytime_machine::{DiskError, FileId};

/// Longest path with its end, bytes.
const PATH_BYTES_MAX: usize = 64;
/// 2007-04-23 in days of the Julian calendar times a day's milliseconds.
const JULIAN_MS: i64 = 2_454_213 * 86_400_000;

/// The VFS of a disk, by name; registered when first asked for, for the life of the process.
pub(crate) fn of(plug: &Plug) -> String {
    let name = plug.name();
    let z_name = CString::new(name.clone()).expect("no NUL in it");
    // SAFETY: the name is valid during the call.
    if unsafe { ffi::sqlite3_vfs_find(z_name.as_ptr()) }.is_null() {
        register(plug.clone(), z_name);
    }
    name
}

fn register(plug: Plug, z_name: CString) {
    let z_name = z_name.into_raw();
    let vfs = Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<File>() as c_int,
        mxPathname: PATH_BYTES_MAX as c_int,
        pNext: core::ptr::null_mut(),
        zName: z_name,
        pAppData: Box::into_raw(Box::new(plug)).cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    });
    // SAFETY: the structure, its name and its data are leaked, so they outlive every connection.
    let registered = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(vfs), 0) };
    assert_eq!(registered, ffi::SQLITE_OK, "there is room for a VFS");
}

/// Begins with what SQLite knows of every file.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    plug: *const Plug,
    id: u32,
    /// Whether the next sync must make the name durable too.
    new_name: bool,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

fn code(result: Result<(), DiskError>, otherwise: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(DiskError::NoSpace) => ffi::SQLITE_FULL,
        Err(_) => otherwise,
    }
}

unsafe fn plug<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Plug {
    // SAFETY: `register` put a leaked `Plug` there.
    unsafe { &*(*vfs).pAppData.cast::<Plug>() }
}

unsafe fn bytes<'a>(z: *const c_char) -> &'a [u8] {
    // SAFETY: SQLite passes names that end in NUL and outlive the call.
    unsafe { CStr::from_ptr(z) }.to_bytes()
}

unsafe fn file<'a>(file: *mut ffi::sqlite3_file) -> &'a mut File {
    // SAFETY: `open` filled the `szOsFile` bytes behind this pointer with a `File`.
    unsafe { &mut *file.cast::<File>() }
}

impl File {
    fn plug(&self) -> &Plug {
        // SAFETY: it was leaked by `register`.
        unsafe { &*self.plug }
    }

    const fn id(&self) -> FileId {
        FileId(self.id)
    }
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    out: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let out = out.cast::<File>();
    // SAFETY: `out` has room for a `File`; no methods means that it need not be closed.
    unsafe { (*out).base.pMethods = core::ptr::null() };
    if name.is_null() {
        return ffi::SQLITE_CANTOPEN; // temporary files: the tests keep them in memory
    }
    // SAFETY: as promised by SQLite to `xOpen`.
    let (plug, path) = unsafe { (plug(vfs), bytes(name)) };
    let create = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let Ok(id) = plug.open(path, create) else { return ffi::SQLITE_CANTOPEN };
    let journal = flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL) != 0;
    let base = ffi::sqlite3_file { pMethods: &METHODS };
    // SAFETY: as above; `out_flags` may be null.
    unsafe {
        out.write(File { base, plug, id: id.0, new_name: create && journal });
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_names: c_int,
) -> c_int {
    // SAFETY: as promised by SQLite to `xDelete`.
    let (plug, path) = unsafe { (plug(vfs), bytes(name)) };
    let path = bytes::Bytes::copy_from_slice(path);
    match plug.run(storytime_machine::DiskOp::Unlink { path }) {
        Ok(_) if sync_names != 0 => code(plug.sync_names(), ffi::SQLITE_IOERR_DIR_FSYNC),
        Ok(_) => ffi::SQLITE_OK,
        Err(DiskError::NotFound) => ffi::SQLITE_IOERR_DELETE_NOENT,
        Err(_) => ffi::SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: as promised by SQLite to `xAccess`.
    let exists = unsafe { plug(vfs).exists(bytes(name)) };
    // SAFETY: `out` is valid.
    unsafe { *out = c_int::from(exists == Ok(true)) };
    code(exists.map(|_| ()), ffi::SQLITE_IOERR_ACCESS)
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's name ends in NUL.
    let path = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if path.len() > room as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has `room` bytes.
    unsafe { core::ptr::copy_nonoverlapping(path.as_ptr().cast(), out, path.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    for i in 0..n as usize {
        // SAFETY: `out` has `n` bytes.
        unsafe { *out.add(i) = (i as u8).wrapping_mul(37) as c_char };
    }
    n
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: `out` is valid.
    unsafe { *out = JULIAN_MS as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_int64(
    _: *mut ffi::sqlite3_vfs,
    out: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: `out` is valid.
    unsafe { *out = JULIAN_MS };
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(this: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: as promised by SQLite to every method of a file, here and below.
    let this = unsafe { file(this) };
    // Without power there is nothing to close.
    let _ = this.plug().run(storytime_machine::DiskOp::Close { file: this.id() });
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    this: *mut ffi::sqlite3_file,
    out: *mut c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: `out` has `len` bytes.
    let (this, out) =
        unsafe { (file(this), core::slice::from_raw_parts_mut(out.cast::<u8>(), len as usize)) };
    match this.plug().read(this.id(), at as u64, out.len()) {
        Ok(bytes) => {
            out[..bytes.len()].copy_from_slice(&bytes);
            out[bytes.len()..].fill(0);
            if bytes.len() < out.len() { ffi::SQLITE_IOERR_SHORT_READ } else { ffi::SQLITE_OK }
        }
        Err(_) => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(
    this: *mut ffi::sqlite3_file,
    data: *const c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: `data` has `len` bytes.
    let (this, data) =
        unsafe { (file(this), core::slice::from_raw_parts(data.cast::<u8>(), len as usize)) };
    code(this.plug().write(this.id(), at as u64, data), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(this: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    let this = unsafe { file(this) };
    code(this.plug().set_len(this.id(), len as u64), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(this: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    let this = unsafe { file(this) };
    let mut synced = this.plug().sync(this.id());
    if synced.is_ok() && this.new_name {
        synced = this.plug().sync_names();
        this.new_name = synced.is_err();
    }
    code(synced, ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(
    this: *mut ffi::sqlite3_file,
    out: *mut ffi::sqlite3_int64,
) -> c_int {
    let this = unsafe { file(this) };
    if this.plug().is_off() {
        return ffi::SQLITE_IOERR_FSTAT;
    }
    // SAFETY: `out` is valid.
    unsafe { *out = this.plug().len(this.id()) as i64 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(_: *mut ffi::sqlite3_file, _level: c_int) -> c_int {
    ffi::SQLITE_OK // nobody else is there
}

unsafe extern "C" fn check_reserved_lock(_: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: `out` is valid.
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    storytime_sim::disk::SECTOR_BYTES as c_int
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // As the VFS for unix says: a torn sector keeps the bytes that were not written.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}
