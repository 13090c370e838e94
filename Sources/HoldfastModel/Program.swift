/// The name and version of this program.
package enum Program {
  package static let version = "0.1.0"
  package static let nameAndVersion = "holdfast \(version)"
}
