internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The requirements of a recovery beyond the files of the snapshot.
extension RecoveryPlan {
  /// Checks that the directory of each tablespace that the recovery makes exists and is empty: existing files may
  /// belong to a running server, or be newer than the target. The log names these directories; a link that was made
  /// before does not redirect it.
  func checkTablespaces(files: FileSystem) throws {
    for tablespace in tablespaces where !tablespace.directory.isEmpty {
      let place = tablespace.directory
      let what = "the recovery makes tablespace \(tablespace.oid) in \(place), as the log says"
      let instead = stopsBefore(tablespace).map { "; or say --to-lsn \($0), which ends before it is made" } ?? ""
      guard let status = try files.statusOfWhatIsMeant(by: place) else {
        throw EngineError(
          .usage, what + ", and there is no such directory",
          hint: "Make it, empty, and let the user of the server own it\(instead).")
      }
      guard status.kind == .directory else {
        throw EngineError(
          .usage, what + ", which is no directory", hint: "Move it away, and make an empty directory\(instead).")
      }
      let count = try files.open(place, .directoryFollowingLinks).listing().count
      guard count == 0 else {
        throw EngineError(
          .usage,
          what
            + ", which is not empty (\(Amount.count(UInt64(count), "entry", "entries"))): the restored server would write over what is there",
          hint:
            "Recover on a host where it is empty; where no server uses it any more, move it away and make it anew\(instead)."
        )
      }
    }
  }

  /// Returns the position at which recovery must stop so that it makes neither this tablespace nor one before it; `nil`
  /// if the snapshot itself needs to be recovered beyond that position.
  private func stopsBefore(_ tablespace: WALTablespace) -> LogSequenceNumber? {
    guard let first = tablespaces.first, let stop = snapshot.envelope.postgres?.stop, first.previous >= stop else {
      return nil
    }
    return first.previous
  }

  /// Returns the settings that must be raised because the server that wrote the log had higher values: with lower ones,
  /// recovery ends or waits for ever.
  /// - Parameter control: the control file of the snapshot, which contains the settings of that time.
  func raised(over control: [UInt8]) -> [(name: String, value: String)] {
    guard let known = control.withUnsafeBytes({ ControlFile.minima($0) }) else { return [] }
    return minima.sorted { $0.key < $1.key }.filter { $0.value > known[$0.key] ?? .max }.map {
      ($0.key, String($0.value))
    }
  }
}

extension FileSystem {
  /// Returns the status of a path, with links followed; `nil` if nothing exists.
  fileprivate func statusOfWhatIsMeant(by path: Path) throws(SystemError) -> FileStatus? {
    do throws(SystemError) {
      return try statusIfPresent(of: resolve(path))
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }
}
