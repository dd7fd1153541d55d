//! The system calls that no safe crate offers: clone, mount attributes, capabilities, addresses.
//!
//! All unsafe code of the supervisor is here, behind safe functions.

#![expect(
    unsafe_code,
    reason = "namespaces, mount attributes and capabilities are entered by system calls"
)]

use std::ffi::CString;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sched::CloneFlags;
use nix::unistd::Pid;

/// The capabilities' version of the kernel interface that carries 64 bits.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// The highest capability number that is tried when the bounding set is cut down.
const HIGHEST_CAPABILITY: u32 = 63;

/// Clones this process as `fork` does, with the given namespaces made new, and runs `child` in the
/// clone, which ends with the code that `child` returns.
///
/// The process must have one thread: a lock that another thread holds would stay locked in the
/// clone for ever.
pub(super) fn clone_process(flags: CloneFlags, child: impl FnOnce() -> i32) -> io::Result<Pid> {
    let flags = libc::c_long::from(flags.bits()) | libc::c_long::from(libc::SIGCHLD);
    // SAFETY: no stack, thread or TLS argument is passed, so the clone runs on a copy of this stack
    // as after fork. The caller's process has one thread, so no lock is held by a thread that does
    // not exist in the clone.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match pid {
        0 => {
            let code = child();
            // SAFETY: ends the clone without running the parent's exit handlers.
            unsafe { libc::_exit(code) }
        }
        pid if pid > 0 => Ok(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX))),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Asks the kernel to kill this process when the thread that made it ends.
pub(super) fn die_with_parent() -> io::Result<()> {
    // SAFETY: takes a signal number and touches no memory.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })
}

/// Gives up every way to gain privileges by executing a file.
pub(super) fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: takes numbers and touches no memory.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
}

/// Takes every capability but the given ones out of the bounding set, for good.
pub(super) fn bound_capabilities(keep: &[u32]) -> io::Result<()> {
    for capability in (0..=HIGHEST_CAPABILITY).filter(|number| !keep.contains(number)) {
        // SAFETY: takes numbers and touches no memory.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        if result < 0 {
            let error = io::Error::last_os_error();
            // The kernel answers so for numbers beyond the last capability that it knows.
            if error.raw_os_error() != Some(libc::EINVAL) {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Sets the permitted and effective capabilities and clears the inheritable ones.
pub(super) fn set_capabilities(keep: &[u32]) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        process: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Sets {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let mut sets = [Sets::default(); 2];
    for capability in keep {
        let half = &mut sets[usize::from(*capability >= 32)];
        half.effective |= 1 << (capability % 32);
        half.permitted |= 1 << (capability % 32);
    }
    let header = Header {
        version: CAPABILITY_VERSION,
        process: 0,
    };
    // SAFETY: both pointers refer to live values with the layout that this version of the
    // interface defines: a header and two sets.
    check_long(unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) })
}

/// Sets every signal to its default action and blocks none.
pub(super) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: installs the default action, which runs no code of ours. Numbers that cannot be
        // changed are refused by the kernel without effect.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
}

/// Marks every descriptor above the standard ones to be closed when a program is executed.
pub(super) fn close_descriptors_on_exec() -> io::Result<()> {
    // SAFETY: takes numbers; no descriptor is closed now.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3_u32,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    })
}

/// Which mounts [`restrict_mount`] changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum MountScope {
    /// The mount itself.
    One,
    /// The mount and all below it.
    Tree,
}

/// What [`restrict_mount`] sets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Restriction {
    /// Read-only, without set-user-id programs and devices.
    ReadOnly,
    /// Writable, without set-user-id programs and devices.
    Inert,
}

/// Restricts a mount beyond what `mount(2)` can do to a tree at once.
pub(super) fn restrict_mount(
    path: &Path,
    scope: MountScope,
    restriction: Restriction,
) -> io::Result<()> {
    let inert = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    let attributes = libc::mount_attr {
        attr_set: match restriction {
            Restriction::ReadOnly => inert | libc::MOUNT_ATTR_RDONLY,
            Restriction::Inert => inert,
        },
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = match scope {
        MountScope::One => 0,
        MountScope::Tree => libc::AT_RECURSIVE,
    };
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is a C string and the attributes a live value whose size is passed along.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })
}

/// Adds an address to the loopback interface under an alias (`lo:1`) and brings the alias up.
pub(super) fn add_loopback_address(alias: &str, address: Ipv4Addr) -> io::Result<()> {
    let socket = control_socket()?;
    let mut request = interface_request(alias);
    request.ifr_ifru.ifru_addr = socket_address(address);
    interface_control(&socket, libc::SIOCSIFADDR, &mut request)?;
    let mut request = interface_request(alias);
    request.ifr_ifru.ifru_addr = socket_address(Ipv4Addr::BROADCAST);
    interface_control(&socket, libc::SIOCSIFNETMASK, &mut request)
}

/// Brings the loopback interface up.
pub(super) fn bring_loopback_up() -> io::Result<()> {
    let socket = control_socket()?;
    let mut request = interface_request("lo");
    #[expect(clippy::cast_possible_truncation, reason = "both flags are below 2^15")]
    let flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    request.ifr_ifru.ifru_flags = flags;
    interface_control(&socket, libc::SIOCSIFFLAGS, &mut request)
}

/// Takes over a descriptor that the process was started with.
///
/// # Panics
///
/// When the descriptor is not open.
pub(super) fn inherited_descriptor(number: i32) -> OwnedFd {
    assert!(
        nix::fcntl::fcntl(
            // SAFETY: the borrow ends with this call, and a closed number only makes it fail.
            unsafe { std::os::fd::BorrowedFd::borrow_raw(number) },
            nix::fcntl::FcntlArg::F_GETFD
        )
        .is_ok(),
        "descriptor {number} is open"
    );
    // SAFETY: the descriptor is open, and each is taken over at most once, at the process' start.
    unsafe { OwnedFd::from_raw_fd(number) }
}

fn control_socket() -> io::Result<OwnedFd> {
    // SAFETY: takes numbers; a returned descriptor has no other owner.
    let descriptor =
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(descriptor)?;
    // SAFETY: the descriptor was just made.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn interface_request(name: &str) -> libc::ifreq {
    // SAFETY: the structure is plain data for which zeroes are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (target, byte) in request
        .ifr_name
        .iter_mut()
        .take(libc::IFNAMSIZ - 1)
        .zip(name.bytes())
    {
        *target = byte.cast_signed() as libc::c_char;
    }
    request
}

fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    let internet = libc::sockaddr_in {
        sin_family: u16::try_from(libc::AF_INET).unwrap_or_default(),
        sin_port: 0,
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.octets()),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: both are plain data of the same size, and the kernel reads the second as the first.
    unsafe { std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(internet) }
}

fn interface_control(
    socket: &OwnedFd,
    operation: libc::c_ulong,
    request: &mut libc::ifreq,
) -> io::Result<()> {
    // SAFETY: the request is a live structure of the type that these operations expect.
    check(unsafe {
        libc::ioctl(
            socket.as_raw_fd(),
            operation as libc::Ioctl,
            std::ptr::from_mut(request),
        )
    })
}

fn check(result: i32) -> io::Result<()> {
    check_long(libc::c_long::from(result))
}

fn check_long(result: libc::c_long) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
