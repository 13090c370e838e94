internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

extension WALArchive {
  /// Returns the newest archived file of a cluster's log, and the time at which it was archived; `nil` if there is
  /// none, or if it is damaged. It lists one directory, and reads one manifest.
  func newestOfLog(_ system: SystemIdentifier) throws -> (file: WALFileName, archived: Timestamp)? {
    // Their names are the beginnings of those of the files, but for the one with the histories of timelines.
    let directories = try repository.store.children(of: Keys.wal(source, system)).filter { $0.hasSuffix("/") }
      .map { String($0.dropLast()) }.filter { $0 != "history" }.sorted()
    do {
      for directory in directories.reversed() {
        guard let file = try files(of: system, in: directory).last(where: \.isLog) else { continue }
        return try find(file, of: system).map { (file, $0.manifest.time.moment) }
      }
    } catch let error as any OperatorError where error.isDamage {
      // A verify tells of it.
    }
    return nil
  }
}
