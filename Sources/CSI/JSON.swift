import JSONText

// Messages are read from JSON and written as JSON; whoever uses messages can use the values too.
package typealias JSON = JSONText.JSON
package typealias JSONError = JSONText.JSONError
