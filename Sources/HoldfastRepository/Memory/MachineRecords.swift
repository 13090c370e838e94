package import HoldfastModel
package import HoldfastSystem

/// A record that a machine keeps of a repository, beside what it has seen: for example for how long snapshots have been
/// removed, and what was verified here.
package protocol MachineRecord: Codable, Equatable {
  /// A part of the file name.
  static var kind: String { get }
  /// `nil` in a record that an earlier version kept by name.
  var repository: Identifier? { get set }
  init()
}

/// The records that this machine keeps of one repository, sealed or not.
package struct MachineRecords: Sendable {
  private let directory: Path?
  private let repository: Identifier
  private let places: [String]
  private let files: FileSystem

  /// - Parameter places: the names by which the repository is reached now.
  init(_ memory: ClientMemory, of repository: Identifier, at places: [String], files: FileSystem) {
    (directory, self.repository, self.places, self.files) = (memory.directory, repository, places, files)
  }

  private struct EarlierLocation: Decodable {
    let location: String
  }

  /// Changes one of these records.
  /// - Throws: also when there is no directory for the record.
  package func change<Kept: MachineRecord>(_ type: Kept.Type, _ change: (inout Kept) -> Void) throws {
    try MemoryFolder(making: directory, files: files).whileLocked { folder in
      var record = load(type, in: folder)
      let known = record
      change(&record)
      if record != known || (known.repository == nil && known != Kept()) {
        record.repository = repository
        try folder.replace(.repository(repository, kind: Kept.kind), by: record)
      }
      for place in places { try folder.remove(.location(place, kind: Kept.kind)) }
    }
  }

  /// Returns the record; an empty one when none can be read: counting then begins again.
  package func load<Kept: MachineRecord>(_ type: Kept.Type) -> Kept {
    let folder = directory.flatMap { try? MemoryFolder($0, files: files) }
    return folder.map { load(type, in: $0) } ?? Kept()
  }

  private func load<Kept: MachineRecord>(_ type: Kept.Type, in folder: MemoryFolder) -> Kept {
    if let record = folder.valueIfReadable(type, of: .repository(repository, kind: Kept.kind)),
      record.repository == repository
    {
      return record
    }
    for place in places.reversed() {
      let file = MemoryFile.location(place, kind: Kept.kind)
      if folder.valueIfReadable(EarlierLocation.self, of: file)?.location == place,
        let record = folder.valueIfReadable(type, of: file)
      {
        return record
      }
    }
    return Kept()
  }
}

extension ClientMemory {
  /// Returns the records of a repository that is not opened.
  package func records(of repository: Identifier, files: FileSystem) -> MachineRecords {
    MachineRecords(self, of: repository, at: [], files: files)
  }
}
