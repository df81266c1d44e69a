// Sets a key of Redis and gets it: each command is one request.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

var client = &http.Client{Timeout: 40 * time.Second}

func ask(words ...string) string {
	command := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		command += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	url := os.Getenv("SOCKPOOL_URL") + "/v1/exchange?target=cache"
	request, err := http.NewRequest("POST", url, strings.NewReader(command))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("SOCKPOOL_TOKEN"))
	answer, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		panic(fmt.Sprint(answer.Status, " ", string(text), " ", err))
	}
	return string(text)
}

func main() {
	fmt.Print(ask("SET", "greeting", "hello", "EX", "60"))
	fmt.Print(ask("GET", "greeting"))
}
