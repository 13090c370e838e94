package import HoldfastModel
package import HoldfastSystem

/// The contents of `postmaster.pid`: the server's process, its port, and the time of its start (PostgreSQL's source,
/// utils/pidfile.h). A killed server leaves the file behind, and a copy of a cluster contains it.
package struct PostmasterFile: Sendable, Equatable {
  package static let name = "postmaster.pid"
  package let process: Int32
  /// The time at which the server was started; `nil` if the file does not say.
  package let started: Timestamp?
  /// The port of the server; `nil` if the file does not say.
  package let port: Int?
  /// The directory of the server's socket; `nil` if the file does not say.
  package let socketDirectory: String?

  /// - Parameter cluster: the data directory, relative to `source`.
  /// - Returns: `nil` if there is no such file, or it cannot be parsed.
  package init?(below cluster: Path, in source: OpenFile, files: FileSystem) throws(SystemError) {
    let path = cluster.appending(Self.name)
    guard try files.statusIfPresent(of: path, in: source)?.kind == .file else { return nil }
    let text = String(decoding: try files.openForCapture(path, in: source).contents(max: 4096), as: UTF8.self)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
      $0.trimmingPrefix { $0 == " " }
    }
    // A single-user server writes its process number as a negative one.
    guard let number = lines.first.flatMap({ Int32($0) }), let process = Int32(exactly: number.magnitude) else {
      return nil
    }
    self.process = process
    started = lines.count > 2 ? Int64(lines[2]).map { Timestamp(seconds: $0, nanoseconds: 0) } : nil
    port = lines.count > 3 ? Int(lines[3]) : nil
    socketDirectory = lines.count > 4 && lines[4].hasPrefix("/") ? String(lines[4]) : nil
  }
}
