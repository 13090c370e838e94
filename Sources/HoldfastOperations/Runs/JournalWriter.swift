internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository

/// Writes runs to the journals of their sources.
struct JournalWriter: RunObserver {
  let repository: Repository
  let notices: any NoticeObserver

  func ended(_ record: RunRecord) {
    let journal = repository.journal
    do {
      for part in record.parts {
        var entry = record.entry(of: part, isSealed: repository.keyring.isSealed)
        guard sign(&entry, of: part.source) else { continue }
        for damage in try journal.append(entry, to: part.source) {
          notices.tell(Notice(.warning, "\(damage.message); a new journal is begun"))
        }
      }
    } catch {
      // A run that failed has reported its failure. That its journal cannot be written is not worth another warning.
      guard record.failure == nil else { return }
      let reason = describe(error).message
      notices.tell(Notice(.warning, "this run is not in the journal of the repository: \(reason)"))
    }
  }

  /// Signs the evidence of a drill in a sealed repository.
  /// - Returns: false if it should be signed and cannot be. Such evidence would count as forged.
  private func sign(_ entry: inout JournalEntry, of source: SourceName) -> Bool {
    guard entry.drill != nil else { return true }
    do {
      guard let writer = try repository.keyring.writer() else { return true }
      try entry.signDrill(of: source, in: repository.id, by: writer.signing)
      return true
    } catch {
      let reason = describe(error).message
      notices.tell(Notice(.warning, "this drill is not in the journal, because its evidence is not signed: \(reason)"))
      return false
    }
  }
}
