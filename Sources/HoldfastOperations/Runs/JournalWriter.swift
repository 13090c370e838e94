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
        sign(&entry, of: part.source)
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
  private func sign(_ entry: inout JournalEntry, of source: SourceName) {
    guard entry.drill != nil else { return }
    do {
      guard let writer = try repository.keyring.writer() else { return }
      try entry.signDrill(of: source, in: repository.id, by: writer.signing)
    } catch {
      let reason = describe(error).message
      notices.tell(Notice(.warning, "the evidence of this drill is not signed, and does not count: \(reason)"))
    }
  }
}
