internal import CLinux
internal import Glibc
internal import HoldfastModel

/// A process that has a file open, in words that help an operator find it: `process 812 (mariadbd)`.
package struct FileHolder: Sendable, Hashable, CustomStringConvertible {
  /// The process ID; `nil` if the process cannot be seen from here: it is in another container or on another machine.
  package let processID: Int32?
  /// Its program name, printable.
  private let name: String

  init(processID: Int32, files: FileSystem) {
    self.processID = processID > 0 ? processID : nil
    let file = try? files.open(Path("/proc/\(processID)/comm"), .read)
    let bytes = (try? file?.contents(max: 4096)) ?? []
    name = bytes.isEmpty ? "" : Path(bytes: bytes.filter { $0 != UInt8(ascii: "\n") }).description
  }

  package var description: String {
    guard let processID else { return "a process that cannot be seen from here" }
    return "process \(processID)" + (name.isEmpty ? "" : " (\(name))")
  }
}

extension OpenFile {
  /// Returns another process with a POSIX lock on any part of this file; `nil` if there is none. This takes no lock.
  package func lockHolder(_ files: FileSystem) throws(SystemError) -> FileHolder? {
    var holder: pid_t = 0
    let isHeld = try perform(.lock, "look for locks of") { Int(holdfast_lock_holder($0, &holder)) }
    return isHeld == 1 ? FileHolder(processID: holder, files: files) : nil
  }
}

extension FileSystem {
  /// Identifies a file independently of its name.
  package struct FileKey: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    package init(_ status: FileStatus) {
      device = status.device
      inode = status.inode
    }
  }

  /// Returns one process that has the file open for writing, for each of these files that other processes have open so.
  /// Only root sees all processes; those that cannot be seen are left out.
  package func holders(of wanted: Set<FileKey>) -> [FileKey: FileHolder] {
    wanted.isEmpty ? [:] : holders { wanted.contains($0) }
  }

  /// Returns all files that other processes have open for writing, as far as they can be seen.
  package func filesOpenForWriting() -> [FileKey: FileHolder] { holders { _ in true } }

  private func holders(of isWanted: (FileKey) -> Bool) -> [FileKey: FileHolder] {
    var found: [FileKey: FileHolder] = [:]
    guard let processes = try? open(Path("/proc"), .directory), let listing = try? processes.listing()
    else { return found }
    for index in 0..<listing.count {
      guard let number = Int32(String(decoding: listing[index], as: UTF8.self)), number != getpid(),
        let directory = try? open(Path("\(number)/fd"), in: processes, .directory),
        let descriptors = try? directory.listing()
      else { continue }
      for index in 0..<descriptors.count {
        let name = Path(bytes: Array(descriptors[index]))
        guard let status = try? status(of: name, in: directory, followLink: true), status.kind == .file else {
          continue
        }
        let key = FileKey(status)
        guard isWanted(key), found[key] == nil, isForWriting(name, in: directory) else { continue }
        found[key] = FileHolder(processID: number, files: self)
      }
    }
    return found
  }

  /// Returns true if a descriptor was opened for writing. The mode of the link in /proc/PID/fd shows it (proc(5)).
  private func isForWriting(_ descriptor: Path, in directory: OpenFile) -> Bool {
    ((try? status(of: descriptor, in: directory))?.mode ?? 0) & 0o200 != 0
  }
}
