//! A SQLite VFS over the default one that fails on demand and counts what it is asked for.
//!
//! It changes the methods of every file that the default VFS opens: where one is to fail, it answers instead of the
//! default one. Every fixture registers one of its own, so tests do not meet.

#![expect(
    unsafe_code,
    reason = "a VFS is a table of C functions, and only calling it can test failing media"
)]
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::ffi::{
    SQLITE_OK, SQLITE_OPEN_CREATE, SQLITE_OPEN_WAL, sqlite3_file, sqlite3_int64,
    sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Open,
    /// Opening a file that need not be there.
    Create,
    /// Asking whether a file is there.
    Access,
    Delete,
    Read,
    Write,
    Sync,
    Truncate,
    /// Asking for a length.
    Size,
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing is done, and this result code returned.
    Code(c_int),
    /// Half of what is to be written is, and this result code returned.
    Short(c_int),
}

/// One registered VFS. It lives as long as the process.
#[derive(Debug)]
pub(crate) struct Faults {
    /// What to open a database with.
    pub(crate) name: &'static str,
    default: *mut sqlite3_vfs,
    armed: Mutex<Option<Fault>>,
    syncs_of_logs: AtomicUsize,
    /// What the operating system is to have said, unless it is 0.
    errno: AtomicI32,
}

/// What is to fail, and how; `None` for what does not count.
type Plan = Box<dyn Fn(Operation) -> Option<Failure> + Send>;

struct Fault {
    plan: Plan,
    /// How many go well first.
    after: usize,
    /// Whether all that follow fail, too.
    forever: bool,
    failed: Vec<Operation>,
}

/// The methods of a file, and where those went that they stand in for.
#[repr(C)]
struct Methods {
    instead: sqlite3_io_methods,
    original: *const sqlite3_io_methods,
    faults: &'static Faults,
    is_log: bool,
}

// SAFETY: what it points to is the default VFS, which is registered for good and may be used by all threads.
unsafe impl Sync for Faults {}

impl Faults {
    /// Registers a new one.
    pub(crate) fn register() -> &'static Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("faults-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let name: &'static CStr = Box::leak(CString::new(name).unwrap().into_boxed_c_str());
        // SAFETY: a null name asks for the default VFS, which is there as long as the process.
        let default = unsafe { sqlite3_vfs_find(null()) };
        let faults: &'static Self = Box::leak(Box::new(Self {
            name: name.to_str().unwrap(),
            default,
            armed: Mutex::new(None),
            syncs_of_logs: AtomicUsize::new(0),
            errno: AtomicI32::new(0),
        }));
        // SAFETY: `default` points to a VFS that is valid and changed by nobody but the registration of others,
        // which concerns `pNext` alone. The copy is leaked, so it stays valid after it was registered.
        let registered = unsafe {
            let vfs = Box::leak(Box::new(*default));
            vfs.pNext = null_mut();
            vfs.zName = name.as_ptr();
            vfs.pAppData = std::ptr::from_ref(faults).cast_mut().cast();
            vfs.xOpen = Some(open);
            vfs.xAccess = Some(access);
            vfs.xDelete = Some(delete);
            vfs.xGetLastError = Some(last_error);
            sqlite3_vfs_register(vfs, 0)
        };
        assert_eq!(registered, SQLITE_OK);
        faults
    }

    /// From now on the operation fails once, after so many went well.
    pub(crate) fn once(&self, operation: Operation, after: usize, failure: Failure) {
        let plan = move |asked| (asked == operation).then_some(failure);
        self.arm(Box::new(plan), after, false);
    }

    /// From now on the operation fails always, after so many went well.
    pub(crate) fn always(&self, operation: Operation, after: usize, failure: Failure) {
        let plan = move |asked| (asked == operation).then_some(failure);
        self.arm(Box::new(plan), after, true);
    }

    /// From now on what counts fails, after so much went well, once or forever.
    pub(crate) fn arm(&self, plan: Plan, after: usize, forever: bool) {
        *self.armed() = Some(Fault { plan, after, forever, failed: Vec::new() });
    }

    /// Lets the operating system say so of what failed.
    pub(crate) fn say(&self, errno: c_int) {
        self.errno.store(errno, Ordering::Relaxed);
    }

    /// From now on all goes well. What has failed.
    pub(crate) fn disarm(&self) -> Vec<Operation> {
        self.say(0);
        self.armed().take().map_or_else(Vec::new, |fault| fault.failed)
    }

    /// How many syncs of write-ahead logs went well.
    pub(crate) fn syncs_of_logs(&self) -> usize {
        self.syncs_of_logs.load(Ordering::Relaxed)
    }

    fn failure(&self, operation: Operation) -> Option<Failure> {
        let mut armed = self.armed();
        let fault = armed.as_mut()?;
        let failure = (fault.plan)(operation)?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        if !fault.failed.is_empty() && !fault.forever {
            return None;
        }
        fault.failed.push(operation);
        Some(failure)
    }

    fn code(&self, operation: Operation) -> Option<c_int> {
        self.failure(operation).map(|failure| match failure {
            Failure::Code(code) | Failure::Short(code) => code,
        })
    }

    fn armed(&self) -> MutexGuard<'_, Option<Fault>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fault").field("failed", &self.failed).finish_non_exhaustive()
    }
}

/// The faults of a VFS that was registered here.
///
/// # Safety
/// It was.
unsafe fn faults_of(vfs: *mut sqlite3_vfs) -> &'static Faults {
    // SAFETY: the data of such a VFS is a leaked `Faults`.
    unsafe { &*(*vfs).pAppData.cast() }
}

extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    found: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls with the VFS that was registered; the arguments are passed on as they came.
    unsafe {
        let faults = faults_of(vfs);
        let Some(original) = (*faults.default).xAccess else { return SQLITE_OK };
        let failed = faults.code(Operation::Access);
        failed.unwrap_or_else(|| original(faults.default, name, flags, found))
    }
}

extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, syncs: c_int) -> c_int {
    // SAFETY: SQLite calls with the VFS that was registered; the arguments are passed on as they came.
    unsafe {
        let faults = faults_of(vfs);
        let Some(original) = (*faults.default).xDelete else { return SQLITE_OK };
        let failed = faults.code(Operation::Delete);
        failed.unwrap_or_else(|| original(faults.default, name, syncs))
    }
}

extern "C" fn last_error(vfs: *mut sqlite3_vfs, room: c_int, text: *mut c_char) -> c_int {
    // SAFETY: SQLite calls with the VFS that was registered; the arguments are passed on as they came.
    unsafe {
        let faults = faults_of(vfs);
        let said = faults.errno.load(Ordering::Relaxed);
        match (*faults.default).xGetLastError {
            Some(original) if said == 0 => original(faults.default, room, text),
            _ => said,
        }
    }
}

extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls with the VFS that was registered.
    let faults = unsafe { faults_of(vfs) };
    let creates = flags & SQLITE_OPEN_CREATE != 0;
    let operation = if creates { Operation::Create } else { Operation::Open };
    if let Some(code) = faults.code(operation) {
        // SAFETY: SQLite gives room for a file. Without methods it does not close it.
        unsafe { (*file).pMethods = null() };
        return code;
    }
    // SAFETY: the arguments are passed on as they came, to the VFS that the method belongs to, which has asked for
    // as much room for the file as this one. After it succeeded, the methods of the file are valid and constant;
    // those that are put there instead are leaked, so that they stay valid.
    unsafe {
        let Some(original) = (*faults.default).xOpen else { return SQLITE_OK };
        let code = original(faults.default, name, file, flags, flags_out);
        if code == SQLITE_OK {
            let original = (*file).pMethods;
            let mut instead = *original;
            instead.xRead = Some(read);
            instead.xFileSize = Some(size);
            instead.xWrite = Some(write);
            instead.xSync = Some(sync);
            instead.xTruncate = Some(truncate);
            let is_log = flags & SQLITE_OPEN_WAL != 0;
            let methods = Box::leak(Box::new(Methods { instead, original, faults, is_log }));
            (*file).pMethods = std::ptr::from_ref(methods).cast();
        }
        code
    }
}

/// The methods that stand in for those of a file, which SQLite passes to each of them.
///
/// # Safety
/// The file was opened by [`open`].
unsafe fn methods(file: *mut sqlite3_file) -> &'static Methods {
    // SAFETY: `open` has made them the first member of a leaked `Methods`.
    unsafe { &*(*file).pMethods.cast::<Methods>() }
}

extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: only files that `open` has opened have this method; the arguments are passed on as they came.
    unsafe {
        let methods = methods(file);
        let Some(original) = (*methods.original).xRead else { return SQLITE_OK };
        let failed = methods.faults.code(Operation::Read);
        failed.unwrap_or_else(|| original(file, into, amount, offset))
    }
}

extern "C" fn size(file: *mut sqlite3_file, found: *mut sqlite3_int64) -> c_int {
    // SAFETY: only files that `open` has opened have this method; the arguments are passed on as they came.
    unsafe {
        let methods = methods(file);
        let Some(original) = (*methods.original).xFileSize else { return SQLITE_OK };
        let failed = methods.faults.code(Operation::Size);
        failed.unwrap_or_else(|| original(file, found))
    }
}

extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    amount: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: only files that `open` has opened have this method; the arguments are passed on as they came, or with
    // a part of the bytes.
    unsafe {
        let methods = methods(file);
        let Some(original) = (*methods.original).xWrite else { return SQLITE_OK };
        match methods.faults.failure(Operation::Write) {
            None => original(file, from, amount, offset),
            Some(Failure::Code(code)) => code,
            Some(Failure::Short(code)) => {
                original(file, from, amount / 2, offset);
                code
            }
        }
    }
}

extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: only files that `open` has opened have this method; the arguments are passed on as they came.
    unsafe {
        let methods = methods(file);
        let Some(original) = (*methods.original).xSync else { return SQLITE_OK };
        let failed = methods.faults.code(Operation::Sync);
        let code = failed.unwrap_or_else(|| original(file, flags));
        if code == SQLITE_OK && methods.is_log {
            methods.faults.syncs_of_logs.fetch_add(1, Ordering::Relaxed);
        }
        code
    }
}

extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: only files that `open` has opened have this method; the arguments are passed on as they came.
    unsafe {
        let methods = methods(file);
        let Some(original) = (*methods.original).xTruncate else { return SQLITE_OK };
        methods.faults.code(Operation::Truncate).unwrap_or_else(|| original(file, size))
    }
}
