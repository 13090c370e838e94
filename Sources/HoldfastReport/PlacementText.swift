package import HoldfastEngine
internal import HoldfastModel

/// The result of a placement of shards at one target, for people.
package struct PlacementText {
  package let lines: [String]
  package let warnings: [String]

  package init(_ result: PlacementResult, isDryRun: Bool) {
    var done: [String] = []
    let objects = Amount.count(UInt64(result.placed), "object")
    if result.placed > 0 {
      done.append(isDryRun ? "would get its shards of \(objects)" : "got its shards of \(objects)")
    }
    if result.removed > 0 { done.append("\(Amount.count(UInt64(result.removed), "old shard")) went") }
    lines = done.isEmpty ? [] : ["\(result.target): \(done.joined(separator: "; "))"]
    warnings =
      result.findings.map { "\(result.target): no shard can be made: \($0.message) (in \($0.location))" }
      + (result.failure.map { ["\(result.target): its shards are not in place: \($0.message)"] } ?? [])
  }
}
