internal import HoldfastModel

/// Merges the trees of several files into one. Maps are merged; any other key may be in only one file.
struct FileMerger {
  private(set) var root: Node?
  private(set) var mistakes: [Mistake] = []

  mutating func add(_ node: Node) {
    guard let known = root else {
      root = node
      return
    }
    root = merge(known, node, way: [])
  }

  private mutating func merge(_ known: Node, _ new: Node, way: [String]) -> Node {
    guard case .mapping(var pairs) = known.content, case .mapping(let others) = new.content else {
      mistakes.append(
        Mistake(
          new.position, "\(Path(way.joined(separator: "."))) stands here and at \(known.position)",
          hint: "Keep one of the two: files do not override each other."))
      return known
    }
    for pair in others {
      if let index = pairs.firstIndex(where: { $0.key == pair.key }) {
        pairs[index].value = merge(pairs[index].value, pair.value, way: way + [pair.key])
      } else {
        pairs.append(pair)
      }
    }
    return Node(position: known.position, content: .mapping(pairs))
  }
}
