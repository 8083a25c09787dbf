module "web" {
  source  = "git::https://example.org/mod.git?ref=%2"
  version = "%0"
  tags = {
    release = "%1"
  }
}

module "api" {
  image_tag = "%1" # keep
  source    = "./api"
}
