internal import HoldfastModel
internal import HoldfastSource

/// Compares what a walk over a source finds with the parent's state, entry by entry in path order. If nothing differs
/// at the end, and no database is in use, the source is as the parent has it, and need not be walked again.
struct UnchangedSource {
  private let detection: ChangeDetection
  private let links: HardLinks
  /// True as long as everything was found as the parent has it.
  private(set) var isUnchanged = true
  /// The weakest class of any file so far.
  private(set) var consistency = ConsistencyClass.stable

  init(_ detection: ChangeDetection, _ links: HardLinks) { (self.detection, self.links) = (detection, links) }

  /// Something was found that the parent does not have, or not so; or the parent has something that is gone.
  mutating func differs() { isUnchanged = false }

  /// - Parameter previous: the parent's entry at the path of the item; `nil` if there is none.
  /// - Returns: true if the item is as its metadata was, and no other name of a file that came before.
  mutating func meets(_ item: ScannedItem, _ previous: Entry?) -> Bool {
    let first = isUnchanged ? links.otherName(of: item) : nil
    guard let previous, detection.isUnchanged(item.status, since: previous) else {
      isUnchanged = false
      return false
    }
    if let first {
      if previous.content != .hardLink(to: first) { isUnchanged = false }
      return false
    }
    guard !previous.content.isHardLink else {
      isUnchanged = false
      return false
    }
    if let file = previous.file { consistency = max(consistency, file.consistency) }
    return true
  }
}
