internal import CLinux
internal import Glibc
package import HoldfastModel

/// Everything in a tree that a restore must bring back, read with plain system calls. Two equal descriptions mean the
/// same tree.
package struct TreeDescription: Equatable, CustomStringConvertible {
  package struct Node: Equatable {
    package var mode: UInt32
    package var userID: UInt32
    package var groupID: UInt32
    package var modifiedSeconds: Int
    package var modifiedNanoseconds: Int
    package var content: [UInt8]
    package var device: UInt64
    package var extended: [String: [UInt8]]
    /// The first name of the same file, if it has several.
    package var sameAs: String?
  }

  package private(set) var nodes: [String: Node] = [:]

  /// - Parameter ignoringRoot: true if the attributes of the directory itself are ignored.
  package init(of path: Path, ignoringRoot: Bool = false) {
    var seen: [UInt64: String] = [:]
    add(path, name: ".", &seen)
    if ignoringRoot { nodes["."] = nil }
  }

  private mutating func add(_ path: Path, name: String, _ seen: inout [UInt64: String]) {
    var status = stat()
    guard path.withCString({ lstat($0, &status) }) == 0 else { return }
    let type = status.st_mode & 0o170000
    var sameAs: String?
    if type == 0o100000, status.st_nlink > 1 {
      sameAs = seen[UInt64(status.st_ino)]
      if sameAs == nil { seen[UInt64(status.st_ino)] = name }
    }
    let content: [UInt8] =
      switch type {
      case 0o100000: TestFiles.read(path) ?? []
      case 0o120000: readLink(path)
      default: []
      }
    nodes[name] = Node(
      mode: status.st_mode, userID: status.st_uid, groupID: status.st_gid, modifiedSeconds: status.st_mtim.tv_sec,
      modifiedNanoseconds: status.st_mtim.tv_nsec, content: content, device: UInt64(status.st_rdev),
      extended: extendedAttributes(path), sameAs: sameAs)
    guard type == 0o040000 else { return }
    for child in children(path) {
      let shown = Path(bytes: child).description
      add(path.appending(child), name: name == "." ? shown : name + "/" + shown, &seen)
    }
  }

  private func readLink(_ path: Path) -> [UInt8] {
    var target = [CChar](repeating: 0, count: 4096)
    let count = path.withCString { readlink($0, &target, target.count) }
    return target.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
  }

  private func extendedAttributes(_ path: Path) -> [String: [UInt8]] {
    var names = [CChar](repeating: 0, count: 65_536)
    let length = path.withCString { llistxattr($0, &names, names.count) }
    guard length > 0 else { return [:] }
    var result: [String: [UInt8]] = [:]
    for name in names[..<length].split(separator: 0) {
      let text = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      var value = [UInt8](repeating: 0, count: 65_536)
      let count = path.withCString { lgetxattr($0, text, &value, value.count) }
      if count >= 0 { result[text] = Array(value.prefix(count)) }
    }
    return result
  }

  private func children(_ path: Path) -> [[UInt8]] {
    guard let stream = path.withCString({ opendir($0) }) else { return [] }
    defer { closedir(stream) }
    var names: [[UInt8]] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name != [46], name != [46, 46] { names.append(name) }
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Returns the differences, in words.
  package func differences(from other: TreeDescription) -> [String] {
    Set(nodes.keys).union(other.nodes.keys).sorted().compactMap { name in
      switch (nodes[name], other.nodes[name]) {
      case (let left?, let right?):
        left == right ? nil : "\(name): \(Self.describe(left)) instead of \(Self.describe(right))"
      case (_?, nil): "\(name) is too many"
      default: "\(name) is missing"
      }
    }
  }

  private static func describe(_ node: Node) -> String {
    "mode \(String(node.mode, radix: 8)) owner \(node.userID):\(node.groupID) "
      + "time \(node.modifiedSeconds).\(node.modifiedNanoseconds) bytes \(node.content.count) hash \(node.content.hashValue) "
      + "xattrs \(node.extended.keys.sorted()) same as \(node.sameAs ?? "-")"
  }

  package var description: String { "tree of \(nodes.count) nodes" }
}
