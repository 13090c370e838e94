internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The requirements of a recovery's log beyond the files of the snapshot.
extension RecoveryPlan {
  /// Checks that no tablespace that the recovery makes would be written over existing files, which may belong to a
  /// running server, or be newer than the target. The log contains their directories, and no link that was made before
  /// changes that.
  func checkTablespaces(files: FileSystem) throws {
    for tablespace in tablespaces where !tablespace.directory.isEmpty {
      let place = tablespace.directory
      let what = "the recovery makes tablespace \(tablespace.oid) in \(place), as the log says"
      let instead = stopsBefore(tablespace).map { "; or say --to-lsn \($0), which ends before it is made" } ?? ""
      guard let status = try files.statusOfWhatIsMeant(by: place) else {
        throw EngineError(
          what + ", and there is no such directory",
          hint: "Make it, empty, and let the user of the server own it\(instead).")
      }
      guard status.kind == .directory else {
        throw EngineError(
          what + ", which is no directory", hint: "Move it away, and make an empty directory\(instead).")
      }
      let count = try files.open(place, .directoryFollowingLinks).listing().count
      guard count == 0 else {
        throw EngineError(
          what
            + ", which is not empty (\(Amount.count(UInt64(count), "entry", "entries"))): the restored server would write over what is there",
          hint:
            "Recover on a host where it is empty; where no server uses it any more, move it away and make it anew\(instead)."
        )
      }
    }
  }

  /// The position at which recovery must stop to make neither this tablespace nor one before it; `nil` when the
  /// snapshot itself needs it.
  private func stopsBefore(_ tablespace: WALTablespace) -> LogSequenceNumber? {
    guard let first = tablespaces.first, let stop = snapshot.envelope.postgres?.stop, first.previous >= stop else {
      return nil
    }
    return first.previous
  }

  /// The settings that must be raised because the server that wrote the log had more: with less, recovery ends or waits
  /// for ever.
  /// - Parameter control: the control file of the snapshot, which contains the settings of that time.
  func raised(over control: [UInt8]) -> [(name: String, value: String)] {
    guard let known = control.withUnsafeBytes({ ControlFile.minima($0) }) else { return [] }
    return minima.sorted { $0.key < $1.key }.filter { $0.value > known[$0.key] ?? .max }.map {
      ($0.key, String($0.value))
    }
  }
}

extension FileSystem {
  /// The status of a path, with links followed; `nil` when nothing exists.
  fileprivate func statusOfWhatIsMeant(by path: Path) throws(SystemError) -> FileStatus? {
    do throws(SystemError) {
      return try statusIfPresent(of: resolve(path))
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }
}
