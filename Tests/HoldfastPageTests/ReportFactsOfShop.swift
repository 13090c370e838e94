import Foundation
import FoundationXML
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastPage
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import Testing

extension TestShop {
  /// What a report of this shop shows.
  /// - Parameter later: the seconds from now to the time of the report.
  func reportFacts(
    _ objectives: Objectives = Objectives(), location: String = "/backup/shop", available: UInt64? = nil,
    runs: [JournalEntry] = [], later: Double = 0, sinceDays: Int64 = 60, areAllSources: Bool = true,
    log: LogAmount? = nil, policy: RetentionPolicy? = nil
  ) throws -> ReportFacts {
    var now = host.clock.now()
    now.seconds += Int64(later)
    let repository = try open()
    let statuses = try SourceStatus.read(from: repository, of: nil, expected: []) { _ in objectives }
    let sources = try statuses.map { status in
      let all = try repository.catalog.allSnapshots(of: status.name, includingRemoved: true) { _ in }
      let notes = try repository.notes.read(status.name)
      return ReportFacts.Source(
        status, snapshots: all.filter { notes.removal(of: $0) == nil }, notes: notes.notes.notes, runs: runs,
        kept: KeptSnapshots(all, notes, policy: policy, in: repository), log: log)
    }
    return ReportFacts(
      repository: repository.id, location: location, now: now,
      since: Timestamp(seconds: now.seconds - sinceDays * 86_400, nanoseconds: 0), sources: sources,
      areAllSources: areAllSources,
      availableBytes: available)
  }
}

extension ReportFacts {
  /// The page as XML, which only a well-formed one can be.
  func page() throws -> XMLElement {
    let text = ReportPage(self).text.replacing("<!DOCTYPE html>", with: "")
    return try #require(try XMLDocument(xmlString: text, options: [.nodeLoadExternalEntitiesNever]).rootElement())
  }
}

extension XMLElement {
  /// The text of each element at a path, with single blanks.
  func texts(_ path: String) throws -> [String] {
    try nodes(forXPath: path).map {
      ($0.stringValue ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
  }
}
